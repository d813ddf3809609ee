"""`python -m tests.fuzz NAME --minutes N`: looks for new failures until the time is up.

images, arrays, numbers, archives, compressed: the readers, under atheris where it is installed
(`pip install latentd[fuzz]`), else by changes drawn blindly. wire, uploads, api: a service of small
models, over sockets. properties: the suite's own, with other inputs.
The exit status is 1 where something failed; the input is left in `--folder`.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import httpx

from tests.app.processes import Service, service
from tests.factories import KINDS, publish_kind
from tests.fuzz import api, uploads
from tests.fuzz.mutation import mutated, repaired
from tests.fuzz.readers import READERS, attempt
from tests.fuzz.wire_player import play

SCRIPTS = 200  # of the wire, before it is looked at what is left of them
PROPERTIES = [f"tests/fuzz/test_{of}.py" for of in ("codecs", "paths", "numbers", "queries")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one fuzzer; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", choices=[*READERS, *OVER_SOCKETS, "properties"])
    parser.add_argument("--minutes", type=float, default=30.0, help="how long")
    parser.add_argument("--folder", type=Path, default=Path("runs/fuzz"), help="for what fails")
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="of what is drawn here")
    parser.add_argument("--blind", action="store_true", help="without atheris")
    given = parser.parse_args(arguments)
    folder = (given.folder / given.name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    seconds = 60 * given.minutes
    if given.name == "properties":
        return _properties(seconds, given.seed)
    if given.name in OVER_SOCKETS:
        with _small_service(folder) as running:
            return OVER_SOCKETS[given.name](running, folder, seconds, given.seed)
    if given.blind or find_spec("atheris") is None:
        return _blind(given.name, folder, seconds, given.seed)
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.guided", given.name]
    done = subprocess.run([*command, str(folder), str(int(seconds))], check=False)
    return 1 if done.returncode else 0


def _blind(name: str, folder: Path, seconds: float, seed: int) -> int:
    reader, dice = READERS[name], random.Random(seed)
    good, end, count, taken = reader.seeds(), time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        data = mutated(dice.choice(good), good, dice)
        data = repaired(data) if dice.random() < 0.7 else data
        count += 1
        try:
            taken += attempt(reader, data)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            file = folder / sha256(data).hexdigest()[:16]
            file.write_bytes(data)
            print(f"{name}: {type(error).__name__}: {error}: {file}")
            return 1
    print(f"{name}: {count} inputs, {taken} taken, none failed")
    return 0


def _wire(running: Service, _folder: Path, seconds: float, seed: int) -> int:
    end, first = time.monotonic() + seconds, seed
    while time.monotonic() < end:
        play(running, range(first, first + SCRIPTS))
        first += SCRIPTS
    print(f"wire: scripts {seed} to {first}, none failed")
    return 0


def _uploads(running: Service, _folder: Path, seconds: float, seed: int) -> int:
    with httpx.Client(base_url=running.url, timeout=60) as client:
        statuses = uploads.send(client, sys.maxsize, seed, seconds)
    print(f"uploads: {len(statuses)} bodies, {statuses.count(200)} taken, none failed")
    return 0


def _api(running: Service, folder: Path, seconds: float, seed: int) -> int:
    options = [f"--max-time={max(1, int(seconds))}", f"--seed={seed}", "--max-examples=1000"]
    with httpx.Client(base_url=running.url, timeout=60) as client:
        status, said = api.ask_all(client, folder, *options)
    print(said)
    return 1 if status else 0


OVER_SOCKETS = {"wire": _wire, "uploads": _uploads, "api": _api}


def _properties(seconds: float, seed: int) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--timeout=0", *PROPERTIES]
        command += ["--hypothesis-profile=search", f"--hypothesis-seed={seed}"]
        if subprocess.run(command, check=False, cwd=Path(__file__).parents[2]).returncode:
            return 1
        seed += 1
    return 0


@contextmanager
def _small_service(folder: Path) -> Iterator[Service]:
    store = folder / "store"
    if not store.is_dir():
        store.mkdir()
        for kind in KINDS:
            publish_kind(store, kind)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    settings = {"models": "grey,bent,colour,rows", "access_log": True, "cache_bytes": 0}
    with service(store, **settings, **api.LIMITS, max_body_bytes=100_000) as running:
        yield running


if __name__ == "__main__":
    sys.exit(main())
