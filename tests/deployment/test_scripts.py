"""The scripts that nothing else here runs: they parse, explain themselves and can be started."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ["deploy/prove_image.sh", ".ci/run"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_parses_and_stops_at_the_first_error(script: str) -> None:
    subprocess.run(["bash", "-n", ROOT / script], check=True)
    assert "\nset -euo pipefail\n" in (ROOT / script).read_text()


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_can_be_executed(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


def test_the_proof_explains_its_options() -> None:
    proof = ROOT / "deploy" / "prove_image.sh"
    asked = subprocess.run([proof, "--help"], capture_output=True, check=True, text=True)
    for option in ("--base IMAGE", "--mount PATH", "--training"):
        assert option in asked.stdout
    assert "pipefail" not in asked.stdout


def test_the_proof_refuses_an_option_it_does_not_know() -> None:
    proof = ROOT / "deploy" / "prove_image.sh"
    asked = subprocess.run([proof, "--trainig"], capture_output=True, check=False, text=True)
    assert asked.returncode == 2
    assert "--training" in asked.stderr


def test_the_proof_builds_with_arguments_that_the_dockerfile_has() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for argument in ("BASE_IMAGE", "TORCH_INDEX_URL", "EXTRAS"):
        assert f"{argument}=" in (ROOT / "deploy" / "prove_image.sh").read_text()
        assert f"ARG {argument}=" in dockerfile
