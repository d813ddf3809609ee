"""A candidate crashes, hangs or fills the memory of the process that verifies it, and no other."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model_store import BadSetting, CheckpointRejected, ModelId, load, publish, published
from tests.app.processes import children, runs
from tests.model_store.hostile import (
    AsksForTooMuch,
    HangsForEver,
    TakesAllMemory,
    crash,
    plant,
    wait_for,
)
from tests.model_store.tiny import Tiny, publish_tiny, scripted, tiny_draft, tiny_probe

LONG = "600"


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTD_VERIFY_MEMORY_BYTES", str(1 << 29))


@pytest.fixture
def _little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTD_VERIFY_TIMEOUT_S", "4")


HOSTILE: dict[str, tuple[type[nn.Module], str]] = {
    "one that grows": (TakesAllMemory, r"more than the memory.*LATENTD_VERIFY_MEMORY_BYTES"),
    "one that asks for too much": (AsksForTooMuch, r"more than the memory.*VERIFY_MEMORY_BYTES"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_it_is_rejected_in_words_and_the_next_one_loads(store: Path, case: str) -> None:
    module, message = HOSTILE[case]
    model = plant(store, module())
    with pytest.raises(CheckpointRejected, match=message) as caught:
        load(store, model)
    assert caught.value.check == "limits"
    assert "\n" not in str(caught.value)
    load(store, publish_tiny(store, "sound"))


@pytest.mark.usefixtures("_little_time")
def test_one_that_hangs_is_rejected_when_its_time_is_over(store: Path) -> None:
    said = r"not verified within 4 seconds.*LATENTD_VERIFY_TIMEOUT_S"
    with pytest.raises(CheckpointRejected, match=said) as caught:
        load(store, plant(store, HangsForEver()))
    assert caught.value.check == "limits"


def test_one_that_crashes_says_by_which_signal(store: Path) -> None:
    model = crash(store)
    with pytest.raises(
        CheckpointRejected, match=r"ended by SIG\w+: a damaged or hostile"
    ) as caught:
        load(store, model)
    assert caught.value.check == "limits"
    load(store, publish_tiny(store, "sound"))


def test_a_publisher_is_spared_as_well(store: Path) -> None:
    file = scripted(AsksForTooMuch().eval(), store.parent)
    with pytest.raises(CheckpointRejected, match="more than the memory"):
        publish(tiny_draft(), file, store)
    assert published(store) == []
    assert list(store.iterdir()) == []


class HangsInLess(Tiny):
    """Its decoder returns in float32 alone."""

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        rows = self.row(z)
        while rows.dtype == torch.bfloat16 and bool(torch.isfinite(rows).all()):
            rows = rows * 1.0
        return torch.sigmoid(rows).reshape(-1, 1, 2, 2)


def test_a_precision_is_verified_for_itself(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = HangsInLess().eval()
    file = scripted(module, store.parent)
    model = publish(tiny_draft(probe=tiny_probe(module)), file, store)
    load(store, model)
    monkeypatch.setenv("LATENTD_VERIFY_TIMEOUT_S", "4")
    with pytest.raises(CheckpointRejected, match="not verified within 4 seconds"):
        load(store, model, torch.device("cpu"), torch.bfloat16)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_a_limit_that_is_none_is_refused_by_name(
    store: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("LATENTD_VERIFY_TIMEOUT_S", value)
    monkeypatch.setenv("LATENTD_RECEIPTS", "none")
    with pytest.raises(BadSetting, match=f"LATENTD_VERIFY_TIMEOUT_S={value}"):
        publish_tiny(store)


def descendants(pid: int) -> set[int]:
    direct = children(pid)
    return direct.union(*map(descendants, direct)) if direct else direct


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_the_process_that_asked(store: Path, signum: signal.Signals) -> None:
    plant(store, HangsForEver())
    asking = subprocess.Popen(
        [sys.executable, "-m", "model_store", "--store", str(store), "verify"],
        env=os.environ | {"LATENTD_VERIFY_TIMEOUT_S": LONG},
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_for(lambda: len(descendants(asking.pid)) == 2, 60)
        started = descendants(asking.pid)
        asking.send_signal(signum)
        asking.wait(20)
        assert wait_for(lambda: not any(map(runs, started)))
    finally:
        asking.kill()
        asking.wait()


def test_processes_that_start_together_verify_once(store: Path, tmp_path: Path) -> None:
    model = publish_tiny(store)
    environment = os.environ | {"LATENTD_RECEIPTS": str(tmp_path / "receipts")}
    code = (
        "import logging; logging.basicConfig(level='INFO')\n"
        "from pathlib import Path; from model_store import find, load\n"
        f"load(Path({str(store)!r}), find(Path({str(store)!r}), '{model}'))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = "".join(process.communicate(timeout=90)[1] for process in started)
    assert said.count("is verified, in a process of its own") == 1, said
    assert [process.returncode for process in started] == [0, 0]


def test_what_it_took_is_said(
    store: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "latentd")
    monkeypatch.setenv("LATENTD_RECEIPTS", str(store.parent / "receipts"))
    began = time.monotonic()
    model = publish_tiny(store)
    assert model == ModelId("tiny", 1)
    (line,) = caplog.messages
    assert float(line.split()[-2]) <= time.monotonic() - began + 0.1
    load(store, model)
    assert "was verified here before" in caplog.messages[-1]
