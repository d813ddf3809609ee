"""The command line of the store: what is published, whether it is sound, where it lies.

Knows the public names of the store and how to print; every failure is one line and an exit code.
"""

import argparse
import json
import signal
import sys
from pathlib import Path

from model_store.errors import ModelNotFound, StoreError
from model_store.loading import load, read_verified
from model_store.location import ModelId, find, list_store, published, published_folder
from model_store.manifest import Manifest, read_manifest
from model_store.publishing import remove
from model_store.settings import store_path
from model_store.tables import facts, overview

DONE, FAILED, USAGE = 0, 1, 2

_EPILOG = """\
A REF is a name, which means its latest version, or name@version: mnist, mnist@3.
Exit codes: 0 done; 1 a model is rejected, missing, or the store cannot be written to; 2 usage.

  python -m model_store list
  python -m model_store show mnist
  python -m model_store verify mnist@1
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit code."""
    asked = _parser().parse_args(arguments)
    store = asked.store or store_path()
    commands = {"list": _list, "show": _show, "verify": _verify, "remove": _remove, "path": _path}
    try:
        if not store.is_dir():
            raise ModelNotFound(f"{store} is not a folder: set LATENTD_STORE or --store to one")
        return commands[asked.command](store, asked)
    except StoreError as error:
        return _fail(error)
    except PermissionError as error:
        return _fail(StoreError(f"{store} cannot be read: {error.strerror}"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model_store",
        description="Look at, check and remove published models.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--store",
        type=Path,
        metavar="PATH",
        help="the folder of the models (default: $LATENTD_STORE, else the one of this checkout)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="one line for each published version")
    listing.add_argument("--json", action="store_true", help="manifests, without their probes")
    show = commands.add_parser("show", help="all that a manifest says of one version")
    show.add_argument("reference", metavar="REF")
    show.add_argument("--json", action="store_true", help="the manifest, without its probe")
    verify = commands.add_parser("verify", help="load versions through every check")
    verify.add_argument("references", metavar="REF", nargs="*", help="(default: every version)")
    removal = commands.add_parser("remove", help="remove one version; its number stays taken")
    removal.add_argument("reference", metavar="REF")
    removal.add_argument("--yes", action="store_true", help="do not ask")
    path = commands.add_parser("path", help="the folder of the store, or of one version")
    path.add_argument("reference", metavar="REF", nargs="?")
    return parser


def _list(store: Path, asked: argparse.Namespace) -> int:
    manifests: list[Manifest] = []
    code = DONE
    listing = list_store(store)
    for called, why in listing.unreadable.items():
        code = _fail(ModelNotFound(f"{called} cannot be read: {why}"))
    for model in listing.models:
        try:
            manifests.append(read_manifest(store, model))
        except StoreError as error:
            code = _fail(error)
    if asked.json:
        print(json.dumps([_plain(manifest) for manifest in manifests], indent=2))
    elif manifests:
        print(overview(manifests))
    elif code == DONE:
        print(f"nothing is published in {store}")
    return code


def _show(store: Path, asked: argparse.Namespace) -> int:
    manifest = read_manifest(store, find(store, asked.reference))
    print(json.dumps(_plain(manifest), indent=2) if asked.json else facts(manifest))
    return DONE


def _verify(store: Path, asked: argparse.Namespace) -> int:
    models = [find(store, reference) for reference in asked.references] or published(store)
    codes = [_verify_one(store, model) for model in models]
    if not models:
        print(f"nothing is published in {store}")
    return max(codes, default=DONE)


def _verify_one(store: Path, model: ModelId) -> int:
    try:
        manifest = load(store, model).manifest
        for name in manifest.attachments:
            read_verified(store, manifest, name)
    except StoreError as error:
        return _fail(error)
    print(f"{model} passes: manifest, digest, limits, archive, operators, contract, probe")
    return DONE


def _remove(store: Path, asked: argparse.Namespace) -> int:
    model = find(store, asked.reference)
    if not asked.yes:
        if not sys.stdin.isatty():
            print(f"not removing {model} unasked: say --yes where nobody answers", file=sys.stderr)
            return USAGE
        if not _agreed(f"Remove {model} from {store}? [y/N] "):
            print(f"{model} stays")
            return DONE
    remove(store, model)
    print(f"removed {model}; its number is not given out again")
    return DONE


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        print()
        return False


def _path(store: Path, asked: argparse.Namespace) -> int:
    reference = asked.reference
    print(store if reference is None else published_folder(store, find(store, reference)).path)
    return DONE


def _plain(manifest: Manifest) -> dict[str, object]:
    return manifest.model_dump(mode="json", exclude={"probe"})


def _fail(error: StoreError) -> int:
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that `list | head` ends quietly
    sys.exit(main())
