"""The Makefile: variables pass through to the service, and setting up twice is setting up once."""

import subprocess
from pathlib import Path

import httpx

from tests.factories import publish_kind
from tests.serving import READY, environment

ROOT = Path(__file__).parents[2]


def test_host_port_and_settings_pass_through_make_serve(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    for kind in ("grey", "rows"):
        publish_kind(store, kind)
    words = ["HOST=127.0.0.2", "PORT=0", "LATENTD_MODELS=rows"]
    variables = {name: v for name, v in environment(store).items() if name != "LATENTD_PORT"}
    process = subprocess.Popen(
        ["make", "serve", *words], cwd=ROOT, env=variables, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        url = next(found[1] for line in process.stderr if (found := READY.search(line)))
        assert url.startswith("http://127.0.0.2:")
        assert httpx.get(f"{url}/health/ready").json()["models"] == ["rows@1"]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_setting_up_again_does_nothing() -> None:
    told = subprocess.run(
        ["make", "--dry-run", "setup"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "pip install" not in told.stdout


def test_the_words_of_the_makefile_are_the_documented_ones() -> None:
    documented = (ROOT / "CONTRIBUTING.md").read_text()
    targets = (ROOT / "Makefile").read_text().partition(".PHONY:")[2].splitlines()[0].split()
    assert {"setup", "serve", "test", "check", "train"} <= set(targets)
    for word in ("setup", "check", "test", "format"):
        assert f"make {word} " in documented
