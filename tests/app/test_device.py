"""Which device is chosen."""

import pytest
import torch

from app.engine.device import choose_device, describe, execution_on, prepare
from app.engine.execution import OnCpu, Work
from app.errors import SettingsError

CUDA = torch.cuda.is_available()


def test_auto_is_cuda_where_there_is_one_else_the_cpu() -> None:
    assert choose_device("auto").type == ("cuda" if CUDA else "cpu")
    assert choose_device("cpu") == torch.device("cpu")


def test_a_device_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="LATENTD_DEVICE=cuda:99: there is no such device"):
        choose_device("cuda:99")


def test_the_device_is_described_in_words() -> None:
    prepare(torch.device("cpu"), 1)
    assert describe(torch.device("cpu")) == "cpu, 1 thread"


@pytest.mark.skipif(not CUDA, reason="needs a CUDA device")
def test_cuda_is_described_by_its_name() -> None:
    assert torch.cuda.get_device_name(0) in describe(choose_device("cuda"))


def test_operations_run_as_their_device_wants() -> None:
    work = Work("test", lambda x: x * 2, (3,), images=False)
    execution = execution_on(torch.device("cpu"), work, 4)
    assert isinstance(execution, OnCpu)
    assert execution.stage.shape == (4, 3)
    execution.stage[:] = 1
    answer = execution.run(2, values=True, levels=False).values
    assert answer is not None
    assert answer.tolist() == [[2, 2, 2]] * 2
