"""One reader under atheris: `python -m tests.fuzz.guided NAME FOLDER SECONDS`.

A process of its own, because libFuzzer ends the one that it runs in. Only Python code is watched
for what it reaches; what is written in C is fuzzed all the same.
"""

import random
import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore] # an extra

with atheris.instrument_imports(include=["app", "model_store"]):
    from tests.fuzz.readers import READERS, attempt

from tests.fuzz.mutation import LARGEST, mutated, repaired

SLOWEST = 5  # seconds for one input
MOST_MEMORY = 2048  # MB


def main(name: str, folder: Path, seconds: int) -> None:
    """Fuzz; what fails is left in `folder`, and this ends with a status other than 0."""
    reader = READERS[name]
    good = reader.seeds()
    begin = folder / "seeds"
    begin.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(good):
        (begin / str(number)).write_bytes(seed)

    def change(data: bytes, largest: int, seed: int) -> bytes:
        dice = random.Random(seed)
        if dice.random() < 0.5:
            changed: bytes = atheris.Mutate(data, largest)
        else:
            changed = mutated(data, good, dice)
        return (repaired(changed) if dice.random() < 0.7 else changed)[:largest]

    options = [f"-max_total_time={seconds}", f"-max_len={LARGEST}", f"-timeout={SLOWEST}"]
    options += [
        f"-rss_limit_mb={MOST_MEMORY}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    atheris.Setup(
        [sys.argv[0], *options, str(begin)],
        lambda data: attempt(reader, data) and None,
        custom_mutator=change,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
