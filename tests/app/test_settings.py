"""What the settings take: laws over all of them, and variables that others set."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.settings import PREFIX, Settings, unknown_variables

NUMBERS = {
    name: field for name, field in Settings.model_fields.items() if field.annotation in (int, float)
}
# What Kubernetes sets in every pod of a namespace that has a Service called latentd.
SERVICE_LINKS = {
    "LATENTD_PORT": "tcp://10.0.0.1:8000",
    "LATENTD_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "LATENTD_PORT_8000_TCP_ADDR": "10.0.0.1",
    "LATENTD_PORT_8000_TCP_PORT": "8000",
    "LATENTD_PORT_8000_TCP_PROTO": "tcp",
    "LATENTD_SERVICE_HOST": "10.0.0.1",
    "LATENTD_SERVICE_PORT": "8000",
    "LATENTD_SERVICE_PORT_HTTP": "8000",
}


def limits(name: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in Settings.model_fields[name].metadata:
        found |= {key: getattr(part, key) for key in ("ge", "gt", "le") if hasattr(part, key)}
    return found


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_least_and_a_greatest(name: str) -> None:
    bounds = limits(name)
    assert math.isfinite(bounds["le"])
    assert bounds.get("ge", bounds.get("gt", -1)) >= 0


@pytest.mark.parametrize(
    "value", ["inf", "-inf", "nan", "Infinity", "-1", "1e400", "1" + "0" * 30, "x", "0x10", "1,5"]
)
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_makes_no_sense_is_refused_with_what_is_taken(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = PREFIX + name.upper()
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as told:
        Settings.read()
    assert f"{variable}={value}" in str(told.value)
    assert f"to {limits(name)['le']}" in str(told.value)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_bounds_are_what_they_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = limits(name)
    variable = PREFIX + name.upper()
    taken = [bounds["le"], *([bounds["ge"]] if "ge" in bounds else [])]
    refused = [bounds["le"] + 1, bounds["ge"] - 1 if "ge" in bounds else bounds["gt"]]
    for value in taken:
        monkeypatch.setenv(variable, str(value))
        assert getattr(Settings.read(), name) == value
    for value in refused:
        monkeypatch.setenv(variable, str(value))
        with pytest.raises(SettingsError, match=variable):
            Settings.read()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_value_is_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As compose hands on a variable that is set to nothing.
    monkeypatch.setenv(PREFIX + name.upper(), "")
    assert Settings.read() == Settings()


def test_what_kubernetes_sets_for_a_service_is_ignored_and_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in SERVICE_LINKS.items():
        monkeypatch.setenv(name, value)
    assert Settings.read().port == Settings().port
    (line,) = unknown_variables()
    assert all(name in line for name in SERVICE_LINKS)
    assert "enableServiceLinks" in line


def test_a_port_that_an_operator_sets_is_not_taken_for_kubernetes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LATENTD_PORT", "9000")
    monkeypatch.setenv("LATENTD_SERVICE_PORTS", "8000")
    assert Settings.read().port == 9000
    (line,) = unknown_variables()
    assert "no such setting" in line
    monkeypatch.setenv("LATENTD_PORT", "http://10.0.0.1:8000")
    with pytest.raises(SettingsError, match="LATENTD_PORT=http"):
        Settings.read()


def test_a_bad_number_ends_the_start_without_a_traceback(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    said = subprocess.run(
        [sys.executable, "-m", "app"],
        env=kept | {"LATENTD_REQUEST_TIMEOUT_S": "inf", "LATENTD_STORE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 2
    assert "LATENTD_REQUEST_TIMEOUT_S=inf" in said.stderr
    assert "Traceback" not in said.stderr
