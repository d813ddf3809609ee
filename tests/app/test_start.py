"""How the service starts, refuses to start, says what it does, and stops."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.processes import cold_service, process
from tests.factories import publish_kind
from tests.serving import READY, environment, refusal, running


def run(
    *arguments: str, store: Path | None = None, **settings: object
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        env=environment(store, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    publish_kind(folder, "grey")
    return folder


def test_the_log_says_address_device_version_and_model(store: Path) -> None:
    with cold_service(store, devce="cpu") as running:
        running.said(READY.pattern)
        log = running.log
    assert "LATENTD_DEVCE is set, but there is no such setting; did you mean LATENTD_DEVICE?" in log
    assert "latentd 0.1.0 on cpu, 1 thread" in log
    assert "grey@1: GreyDigits image of 1×8×8, latent 5" in log
    assert "http://127.0.0.1:" in log


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(store: Path, signum: signal.Signals) -> None:
    with cold_service(store) as running:
        running.said(READY.pattern)
        running.process.send_signal(signum)
        assert running.end() == 0, running.log
        assert "Traceback" not in running.log


def test_a_corrupted_checkpoint_is_refused_by_the_name_of_the_check(store: Path) -> None:
    file = store / "grey" / "1" / "model.ts"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)
    said = refusal(store)
    assert "cannot start" in said
    assert "grey@1" in said
    assert "digest" in said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"models": "mnits"}, ["mnits", "grey"]),
        ({"models": "grey@7"}, ["grey@7"]),
        ({"device": "cuda:99"}, ["LATENTD_DEVICE=cuda:99", "no such device", "cpu"]),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    store: Path, settings: dict[str, object], words: list[str]
) -> None:
    said = refusal(store, **settings)
    for word in words:
        assert word in said


def test_an_empty_store_says_how_to_publish(tmp_path: Path) -> None:
    said = refusal(tmp_path)
    assert str(tmp_path) in said
    assert "python -m training run" in said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"port": "eighty"}, "LATENTD_PORT=eighty"),
        ({"port": 70000}, "less than or equal to 65535"),
        ({"device": "tpu"}, "LATENTD_DEVICE=tpu"),
        ({"max_rows": 0}, "LATENTD_MAX_ROWS=0"),
        ({"log_level": "loud"}, "'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_bad_setting_names_itself_its_value_and_what_it_takes(
    settings: dict[str, Any], words: str
) -> None:
    said = run(**settings)
    assert said.returncode == 2
    assert words in said.stderr
    assert "Traceback" not in said.stderr


def test_a_port_in_use_is_said(store: Path) -> None:
    with running(store) as client:
        said = refusal(store, port=client.base_url.port)
        assert "address already in use" in said


def test_help_lists_every_setting_as_a_flag() -> None:
    said = run("serve", "--help").stdout
    for flag in ("--port", "--models", "--max-rows", "[LATENTD_DEVICE]", "(default: 8000)"):
        assert flag in said
    assert "examples" in run("--help").stdout
    assert run("--version").stdout.startswith("latentd 0.")
    assert run("srve").returncode == 2


def test_a_flag_goes_before_the_environment(store: Path) -> None:
    assert "LATENTD_PORT=x" in run("--port", "x", store=store, port=0).stderr


def test_health_asks_the_service_that_the_settings_name(store: Path) -> None:
    with running(store) as client:
        asked = run("health", port=client.base_url.port)
        assert asked.returncode == 0
        assert "grey@1" in asked.stdout
    gone = run("health", port=client.base_url.port)
    assert gone.returncode == 1
    assert "nothing answers at" in gone.stderr


def test_it_runs_as_an_application_under_plain_uvicorn(store: Path) -> None:
    command = ["-m", "uvicorn", "--factory", "app.main:create_app", "--port", "0"]
    with process(command, environment(store)) as running:
        url = running.said(r"Uvicorn running on (\S+)")[1]
        assert httpx.get(f"{url}/sample?seed=1").status_code == 200
