"""Every command and example of the README is run here, on a copy of the checkout, for real.

A command of a kind that nothing here knows how to run fails a test: none is left out silently.
"""

import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.serving import READY, environment, running

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
ADDRESS = "localhost:8000"
NEEDS_MNIST = "PATH/TO/MNIST"


OPENING = (
    "/sample?n=16&seed=1&columns=8&scale=3",
    "/interpolate?seed=1&seed=2&steps=8&scale=3",
)


def picture(file: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(file)))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files in a folder of their own, with this checkout's environment."""
    copy = tmp_path_factory.mktemp("readme") / "latentd"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


@pytest.fixture(scope="module")
def client(checkout: Path) -> Iterator[httpx.Client]:
    with running(checkout / "model_store" / "published", models="mnist") as client:
        yield client


@pytest.fixture(scope="module")
def variables() -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ["PATH"]])
    return environment() | {"PATH": paths, "PORT": "0"}


def run(command: str, checkout: Path, variables: dict[str, str], timeout: float = 230) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=checkout,
        env=variables,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_command_is_of_a_kind_that_is_run_here() -> None:
    known = ("curl ", "python -m ", "make serve", "make train", "make test", "docker compose up")
    assert COMMANDS
    for command in COMMANDS:
        assert command.startswith(known), command
    assert {kind for kind, _ in BLOCKS} == {"sh", "python", ""}


def test_the_requests_answer_with_pictures_and_latents(
    checkout: Path, variables: dict[str, str], client: httpx.Client
) -> None:
    address = f"{client.base_url.host}:{client.base_url.port}"
    for command in COMMANDS:
        if command.startswith("curl "):
            run(f"{command.replace(ADDRESS, address)} --fail", checkout, variables)
    sizes = {"samples.png": (112, 112), "walk.png": (224, 28), "again.png": (28, 28)}
    for name, size in sizes.items():
        assert picture((checkout / name).read_bytes()).shape == size[::-1]
    digit, again = (picture((checkout / f"{name}.png").read_bytes()) for name in ("digit", "again"))
    assert np.abs(digit.astype(float) - again).mean() < 25


def test_the_python_example_runs(
    checkout: Path, variables: dict[str, str], client: httpx.Client
) -> None:
    (checkout / "digit.png").write_bytes(client.get("/sample?seed=7").content)
    address = f"{client.base_url.host}:{client.base_url.port}"
    for kind, text in BLOCKS:
        if kind == "python":
            (checkout / "example.py").write_text(text.replace(ADDRESS, address))
            assert run("python example.py", checkout, variables) == "mnist@3\n"
    assert picture((checkout / "walk.png").read_bytes()).shape == (28 * 4, 9 * 28 * 4)


def test_make_train_publishes_what_make_serve_serves(
    checkout: Path, variables: dict[str, str]
) -> None:
    run("make train", checkout, variables)
    process = subprocess.Popen(
        ["make", "serve"], cwd=checkout, env=variables, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        url = next(found[1] for line in process.stderr if (found := READY.search(line)))
        assert httpx.get(f"{url}/sample").headers["X-Latentd-Model"] == "mnist@3"
        answer = httpx.get(f"{url}/models/digits/sample?n=16&seed=1")
        assert answer.headers["X-Latentd-Model"] == "digits@1"
        assert answer.headers["Content-Type"] == "image/png"
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_the_command_lines_run(checkout: Path, variables: dict[str, str]) -> None:
    if not (checkout / "model_store" / "published" / "digits").exists():
        run("make train", checkout, variables)
    for command in COMMANDS:
        if command.startswith("python -m ") and NEEDS_MNIST not in command:
            run(command, checkout, variables)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_figures_commands_run(
    checkout: Path, variables: dict[str, str], mnist_folder: Path
) -> None:
    commands = [command for command in COMMANDS if NEEDS_MNIST in command]
    assert commands
    for command in commands:
        run(command.replace(NEEDS_MNIST, str(mnist_folder)), checkout, variables, timeout=3000)


def test_make_test_is_what_ci_runs() -> None:
    assert "make test" in COMMANDS
    assert "make check test" in (ROOT / ".ci" / "run").read_text()


def test_the_opening_picture_is_the_services(client: httpx.Client) -> None:
    shown = picture((ROOT / "docs" / "images" / "opening.png").read_bytes()).astype(int)
    drawn = np.vstack([picture(client.get(url).content) for url in OPENING]).astype(int)
    # On another processor the last bit of a product may round the other way.
    assert shown.shape == drawn.shape
    assert np.abs(shown - drawn).max() <= 1
