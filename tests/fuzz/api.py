"""The OpenAPI document against the service: schemathesis as a process of its own.

It asks what the document allows and what it forbids, in sequences too, and compares each answer
with what the document says of it.
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx

HOOKS = "tests.fuzz.api_hooks"
# Names a file of /compress to the hooks.
COMPRESSED = "FUZZ_COMPRESSED_FILE"
# What a schema cannot say (a limit of the operator's, a rule across fields, a model's shape) is
# answered 422, or 406 where a model has no such form; that it is nothing which the schema does say
# is a check of ours, in HOOKS.
CONFIGURATION = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", 404, 406, 422, "5xx"]

[generation]
database = "none"

[warnings]
enabled = false
"""
# What keeps one request small, so that many can be asked.
LIMITS = {
    "max_rows": 64,
    "max_streamed_rows": 128,
    "max_steps": 32,
    "max_draws": 512,
    "max_pixels": 65_536,
}


def ask_all(client: httpx.Client, folder: Path, *options: str) -> tuple[int, str]:
    """The exit status of a run against the client's service, and what it said.

    The service's default model takes grey images of 8 × 8 (tests/factories.py). `folder` is for the
    run's files; `options` are those of `schemathesis run`.
    """
    configuration = folder / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    few = {"points": [{"seed": 1}, {"seed": 2}]}
    compressed = client.post("/compress?threshold=0.5", json=few).raise_for_status().content
    (folder / "compressed").write_bytes(compressed)
    command = [sys.executable, "-W", "ignore", "-m", "schemathesis.cli"]
    command += [f"--config-file={configuration}", "run", str(client.base_url.join("/openapi.json"))]
    command += ["--checks=all", "--continue-on-failure", "--no-color", *options]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": HOOKS, COMPRESSED: str(folder / "compressed")}
    done = subprocess.run(
        command,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        check=False,
    )
    return done.returncode, done.stdout
