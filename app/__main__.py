"""The service's door: `python -m app` serves, `python -m app health` asks a running one."""

if __name__ == "__main__":
    from app import first_process

    # Before the imports below, which take a while.
    first_process.prepare()

import argparse
import logging
import sys
from typing import Literal, get_args, get_origin

from app import __version__, logs
from app.errors import LatentdError
from app.listening import urls_to_ask
from app.running_clock import limit_start
from app.settings import PREFIX, Settings, unknown_variables

EPILOG = """examples:
  python -m app                                   serve every model in the store on 127.0.0.1:8000
  python -m app serve --port 9000 --models mnist  one model, another port
  LATENTD_DEVICE=cpu python -m app                every flag is also an environment variable
  python -m app health                            exit 0 if the service here is ready
"""


# Flags of the door itself, not of a command.
WHOLE = ("--help", "--version")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # To serve is what one usually wants: `python -m app --port 9000` does.
    if not arguments or (arguments[0].startswith("--") and arguments[0] not in WHOLE):
        arguments = ["serve", *arguments]
    given = vars(_parser().parse_args(arguments))
    command = given.pop("command")
    try:
        settings = Settings.read(**{name: value for name, value in given.items() if value})
        if command == "health":
            return _health(settings)
        return _serve(settings)
    except LatentdError as error:
        print(f"latentd: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m app", description=__doc__, epilog=EPILOG, formatter_class=shape
    )
    parser.add_argument("--version", action="version", version=f"latentd {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="{serve,health}")
    serve = commands.add_parser("serve", help="serve the models (the default)")
    health = commands.add_parser("health", help="ask a running service whether it is ready")
    for command in (serve, health):
        _add_settings(command)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """A flag for every setting, so that the two never differ."""
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = ",".join(default) if isinstance(default, tuple) else default
        told = f" (default: {shown})" if shown not in ("", None) else ""
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else None
        help_text = f"{field.description}{told} [{PREFIX}{name.upper()}]"
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            metavar=name.rpartition("_")[2].upper(),
            choices=choices,
            help=help_text.replace("%", "%%"),
        )


def _serve(settings: Settings) -> int:
    logs.set_up(settings)
    for line in unknown_variables():
        logging.getLogger("latentd").warning(line)
    if settings.workers > 1:
        from app.supervisor import supervise

        return supervise(settings)
    started = limit_start(settings.start_timeout_s, logging.getLogger("latentd").error)
    # It has torch imported, which takes longest; what verifies models does so beside the rest.
    from model_store import expect_to_verify

    expect_to_verify()
    from app.server import serve_alone

    return serve_alone(settings, started)


def _health(settings: Settings) -> int:
    import httpx

    urls = [f"{url}/health/ready" for url in urls_to_ask(settings.host, settings.port)]
    for url in urls:
        try:
            answer = httpx.get(url, timeout=3, trust_env=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = type(error).__name__
            continue
        print(answer.text)
        return 0 if answer.is_success else 1
    print(f"latentd: nothing answers at {' or '.join(urls)} ({reason})", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
