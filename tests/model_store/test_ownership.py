"""What a graph writes to: its own memory, or that of its callers and of the model."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from model_store.errors import Fault
from model_store.operators import ALLOWED
from model_store.ownership import FRESH, check_writes
from tests.model_store.tiny import Tiny

broadcast: Any = torch.broadcast_tensors  # which has no type hints


class Constants(nn.Module):
    """A module with a constant to write to; each subclass has one way of doing so."""

    kept: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.kept = torch.zeros(1, 4)
        self.linear = nn.Linear(4, 4)


class ThroughViews(Constants):
    def forward(self, x: Tensor) -> Tensor:
        self.kept.view(4).unsqueeze(0).expand(1, 4)[:, :2].copy_(x[:1, :2])
        return x + self.kept


class ThroughAList(Constants):
    def forward(self, x: Tensor) -> Tensor:
        held = [x.clone(), self.kept]
        held[1].add_(1)
        return x + self.kept


class ThroughAnAppendedList(Constants):
    def forward(self, x: Tensor) -> Tensor:
        held = [x.clone()]
        held.append(self.kept)
        held[-1].add_(1)
        return x + self.kept


class ThroughATuple(Constants):
    def forward(self, x: Tensor) -> Tensor:
        held = (x.clone(), self.kept)
        held[1].mul_(2)
        return x


class ThroughABranch(Constants):
    def forward(self, x: Tensor) -> Tensor:
        chosen = x.clone() if x.size(0) > 2 else self.kept
        chosen.add_(1)
        return x + chosen


class ThroughALoop(Constants):
    def forward(self, x: Tensor) -> Tensor:
        now = x.clone()
        for _ in range(3):
            now.add_(1)
            now = self.kept
        return x + now


class ThroughSplits(Constants):
    def forward(self, x: Tensor) -> Tensor:
        for part in self.kept.chunk(2, 1):
            part.zero_()
        return x


class ThroughASchemaThatIsSilent(Constants):
    def forward(self, x: Tensor) -> Tensor:
        turned = torch.einsum("ij->ji", [self.kept])
        turned.add_(1)
        return x + turned.sum()


class ThroughAType(Constants):
    def forward(self, x: Tensor) -> Tensor:
        same = self.kept.type_as(x)
        same.add_(1)
        return x + same


class ThroughBroadcasts(Constants):
    def forward(self, x: Tensor) -> Tensor:
        broadcast([self.kept, x[:1]])[0].add_(1)
        return x + self.kept


class IntoAnOut(Constants):
    def forward(self, x: Tensor) -> Tensor:
        torch.add(x[:1], 1, out=self.kept)
        return x + self.kept


class IntoAListOfNumbers(Constants):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = [1, 2]

    def forward(self, x: Tensor) -> Tensor:
        self.numbers.append(3)
        return x + len(self.numbers)


class IntoItsInput(Constants):
    def forward(self, x: Tensor) -> Tensor:
        x.flatten(1)[0].clamp_(0, 1)
        return x


class IntoStatistics(Constants):
    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.kept[0], self.kept[0]
        return functional.instance_norm(x[:, :, None], mean, var, use_input_stats=True)[..., 0]


FOREIGN = list(Constants.__subclasses__())


def graph_of(module: nn.Module) -> torch.Graph:
    frozen = torch.jit.freeze(torch.jit.script(module.eval()))
    graph: torch.Graph = frozen.graph
    return graph


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_a_write_to_what_the_graph_did_not_make_is_refused(kind: type[nn.Module]) -> None:
    whole = torch.jit.script(kind().eval()).inlined_graph
    with pytest.raises(Fault, match="forward writes to"):
        check_writes("forward", whole)
    frozen = graph_of(kind())
    if any(mark in str(frozen) for mark in ("_(", ".out(", "append", "instance_norm")):
        # torch takes some such writes for dead code, and leaves them out.
        with pytest.raises(Fault, match="forward writes to"):
            check_writes("forward", frozen)


class Owner(nn.Module):
    """Writes in place wherever layers and loops usually do."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 4, 1), nn.ReLU(inplace=True), nn.BatchNorm2d(4)
        )
        self.linear = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        row = functional.leaky_relu_(self.linear(self.layers(x).flatten(1)))
        row[:, 0] = x[:, 0]
        parts: list[Tensor] = []
        for part in row.chunk(2, 1):
            parts.append((part * 2).add_(1))
        shape = list(x.shape)
        shape.append(1)
        out = torch.zeros(shape)
        out.copy_(torch.cat(parts, 1)[..., None])
        if x.size(0) > 1:
            out = out * 2
        out += 1
        return torch.add(x, 1, out=torch.zeros_like(x)) + out.squeeze(-1)


def test_a_graph_may_write_to_what_it_made() -> None:
    graph = graph_of(Owner())
    assert [node.kind() for node in graph.nodes() if node.kind().endswith("_")]
    check_writes("forward", graph)


def test_a_module_that_writes_to_nothing_passes() -> None:
    module = torch.jit.freeze(torch.jit.script(Tiny().eval()), preserved_attrs=["encode"])
    check_writes("encode", module.encode.graph)


X, IMAGE, KERNEL = torch.ones(1, 2, 3), torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
LINE, CUBE = torch.ones(1, 1, 1), torch.ones(1, 1, 1, 1, 1)
ONE = torch.ones(1)
# Each at the arguments at which it has least to do, and could hand its input back.
CALLS: dict[str, tuple[object, ...]] = {
    "_convolution": (
        IMAGE,
        KERNEL,
        None,
        [1, 1],
        [0, 0],
        [1, 1],
        False,
        [0, 0],
        1,
        False,
        False,
        False,
        False,
    ),
    **{f"adaptive_avg_pool{n}d": ([LINE, IMAGE, CUBE][n - 1], [1] * n) for n in (1, 2, 3)},
    **{f"conv{n}d": ([LINE, IMAGE, CUBE][n - 1],) * 2 for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": ([LINE, IMAGE, CUBE][n - 1],) * 2 for n in (1, 2, 3)},
    **{f"max_pool{n}d": ([LINE, IMAGE, CUBE][n - 1], 1) for n in (1, 2, 3)},
    "avg_pool1d": (LINE, [1]),
    "batch_norm": (IMAGE, None, None, ONE * 0, ONE, False, 0.0, 0.0, False),
    "bilinear": (ONE[None], ONE[None], LINE, None),
    "clip": (X, None, 9.0),
    "concat": ([X],),
    "hstack": ([X],),
    "vstack": ([X],),
    "group_norm": (X, 1),
    "instance_norm": (X, None, None, None, None, True, 0.0, 1.0, False),
    "layer_norm": (X, [3]),
    "rms_norm": (X, [3]),
    "linear": (torch.ones(1, 1), torch.ones(1, 1)),
    "matmul": (torch.ones(1, 1), torch.ones(1, 1)),
    "prelu": (X, torch.ones(2)),
    "softmax": (X, 1),
    "log_softmax": (X, 1),
    "scaled_dot_product_attention": (X, X, X),
    "where": (X > 0,),
    **dict.fromkeys(("divide", "multiply", "true_divide"), (X, 1)),
    "subtract": (X, 0),
    **{
        f"upsample_{kind}": (
            [LINE, IMAGE, CUBE][n - 1],
            [1] * n,
            *([] if "nearest" in kind else [False]),
            None,
        )
        for kind, n in (
            *(("bicubic2d", 2), ("bilinear2d", 2), ("linear1d", 1), ("nearest1d", 1)),
            *(("nearest2d", 2), ("nearest3d", 3), ("trilinear3d", 3)),
        )
    },
}


def memory(values: object) -> set[int]:
    if isinstance(values, Tensor):
        return {values.untyped_storage().data_ptr()}
    if isinstance(values, list | tuple):
        return set().union(*map(memory, values))
    return set()


@pytest.mark.parametrize("name", sorted(FRESH))
def test_what_is_said_to_give_new_memory_does(name: str) -> None:
    plain = name.removeprefix("aten::")
    given = CALLS.get(plain, (X,))
    with torch.inference_mode():
        answer = getattr(torch.ops.aten, plain)(*given)
    assert memory(answer)
    assert not memory(answer) & memory(given)
    assert name in ALLOWED


def test_every_way_of_writing_has_a_test() -> None:
    assert len(FOREIGN) > 12
    assert "aten::warn" not in ALLOWED
