"""What docs/model_store.md shows is what happens."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model_store import Manifest, ModelId, load, published, settings
from model_store.__main__ import main
from tests.model_store.tiny import publish_tiny

GUIDE = (Path(__file__).parents[2] / "docs" / "model_store.md").read_text(encoding="utf-8")


class Faces(nn.Module):
    """The shapes of the guide's example: [N, 1, 28, 28] to [N, 20] and back."""

    def __init__(self) -> None:
        super().__init__()
        self.posterior = nn.Linear(784, 40)
        self.pixels = nn.Linear(20, 784)

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.posterior(x.flatten(1)).chunk(2, 1)
        return mean, log_var

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.pixels(z)).reshape(-1, 1, 28, 28)


def test_the_publishing_example_publishes(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    monkeypatch.setenv("LATENTD_STORE", str(store))
    monkeypatch.chdir(store.parent)
    given = {"vae": Faces(), "x": torch.rand(3, 1, 28, 28), "digest": "0" * 64}
    exec(example, given)
    assert capsys.readouterr().out == "faces@1\n"
    load(store, ModelId("faces", 1))


def test_the_commands_answer_as_shown(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_tiny(store, "mnist")
    shown = GUIDE.replace("/srv/models", str(store))
    examples = re.findall(r"^\$ python -m model_store (.*)\n(.*)\n(.*)$", shown, re.MULTILINE)
    assert [command for command, *_ in examples] == [
        *("list", "verify", "path mnist", "remove mnist@1")
    ]
    for command, first, second in examples:
        asks = command.startswith("remove")
        assert main(["--store", str(store), *command.split(), *(["--yes"] if asks else [])]) == 0
        answer = capsys.readouterr().out.splitlines()
        assert answer[0].split() == (second if asks else first).split()
    assert published(store) == []


def test_every_field_of_a_manifest_is_documented() -> None:
    assert [field for field in Manifest.model_fields if f"`{field}`" not in GUIDE] == []


def test_every_setting_is_documented() -> None:
    source = Path(settings.__file__).read_text(encoding="utf-8")
    used = set(re.findall(r"LATENTD_[A-Z_]+", source))
    assert used == set(re.findall(r"LATENTD_[A-Z_]+", GUIDE))
