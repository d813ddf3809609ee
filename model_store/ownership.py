"""Proof that a served graph writes to nothing but the memory that it made itself.

Values that may share memory form a group, whatever makes them share it: a view, a list that holds
them, a branch, a loop. A group with an input, a constant or an attribute in it is foreign, and an
operator that writes to a value of a foreign group could keep one caller's rows for the next.

What an operator writes to and which of its values share memory is in its schema, overloads with
`out=` included. Where the schema may be silent, sharing is assumed.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch._C import Block, FunctionSchema, Graph, Node, Value

from model_store.errors import Fault

if TYPE_CHECKING:
    from torch._C import JitType  # of the stubs alone

# Their schemas mark no output as a view, and none is: each gives new memory at every argument.
# Operators that torch composes of others may else hand an argument back, as einsum does.
_NEW_MEMORY = """
_convolution adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d avg_pool1d batch_norm
bilinear clip concat conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d divide
group_norm hstack instance_norm layer_norm linear log_sigmoid log_softmax matmul max max_pool1d
max_pool2d max_pool3d min multiply negative prelu relu6 rms_norm scaled_dot_product_attention selu
softmax special_expit special_ndtr square std std_mean subtract true_divide upsample_bicubic2d
upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d
upsample_trilinear3d var var_mean vstack where
"""
FRESH = frozenset(f"aten::{name}" for name in _NEW_MEMORY.split())
# Not composed, and still free to hand an argument back, on one device or another.
_SILENT = frozenset(["aten::channel_shuffle", "aten::pixel_shuffle", "aten::pixel_unshuffle"])
# Arguments that are written to although the schema does not say so, unless the switch is off.
_HIDDEN_WRITES = {
    "aten::batch_norm": ("training", ("running_mean", "running_var")),
    "aten::instance_norm": ("use_input_stats", ("running_mean", "running_var")),
}
_PLAIN = """
Int Float Bool Complex Number String None DeviceObj Layout ScalarType SymInt SymFloat SymBool
MemoryFormat QScheme Function
"""
_IMMUTABLE = frozenset(f"{name}Type" for name in _PLAIN.split())


def check_writes(export: str, graph: Graph) -> None:
    """Fault where an export writes to its inputs, or to constants and attributes of its module."""
    writes = list(_writes(graph))
    if not writes:
        return
    groups = _Groups()
    for value in graph.inputs():
        groups.mark_foreign(value, "its input")
    _group(graph, groups)
    for node, value in writes:
        if (what := groups.foreign(value)) is not None:
            raise Fault(
                f"{export} writes to {what}, or to what may share its memory, by {node.kind()}; "
                "export the model without in-place operators there: an answer must depend on the "
                "input alone and leave it as it was"
            )


class _Groups:
    """Disjoint sets of values that may share memory, and what is foreign about each set."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._foreign: dict[str, str] = {}

    def unite(self, values: list[Value]) -> None:
        """Let the mutable ones of `values` share memory."""
        roots = [self._root(value.debugName()) for value in values if _mutable(value.type())]
        for root in roots[1:]:
            first = self._root(roots[0])
            root = self._root(root)  # noqa: PLW2901 - it may have been united meanwhile
            if root != first:
                self._parents[root] = first
                if root in self._foreign:
                    self._foreign.setdefault(first, self._foreign.pop(root))

    def mark_foreign(self, value: Value, what: str) -> None:
        """Say that a mutable value was not made by the graph."""
        if _mutable(value.type()):
            self._foreign.setdefault(self._root(value.debugName()), what)

    def foreign(self, value: Value) -> str | None:
        """What the value's group shares memory with that the graph did not make."""
        return self._foreign.get(self._root(value.debugName()))

    def _root(self, name: str) -> str:
        while (parent := self._parents.get(name, name)) != name:
            self._parents[name] = self._parents.get(parent, parent)
            name = parent
        return name


def _group(block: Graph | Block, groups: _Groups) -> None:
    for node in block.nodes():
        inputs, outputs = list(node.inputs()), list(node.outputs())
        blocks = list(node.blocks())
        for inner in blocks:
            _group(inner, groups)
        match node.kind():
            case "prim::Constant":
                groups.mark_foreign(outputs[0], "a constant of the model")
            case "prim::GetAttr":
                groups.mark_foreign(outputs[0], f"the attribute {node.s('name')!r}")
            case "prim::If":
                _group_flow([outputs, *(list(inner.outputs()) for inner in blocks)], groups)
            case "prim::Loop":
                (body,) = blocks
                carried = list(body.inputs())[1:], list(body.outputs())[1:]
                _group_flow([outputs, inputs[2:], *carried], groups)
            case _:
                groups.unite(_sharing(node))


def _group_flow(ways: list[list[Value]], groups: _Groups) -> None:
    """The n-th value of each way may be the n-th of every other."""
    for values in zip(*ways, strict=True):
        groups.unite(list(values))


def _sharing(node: Node) -> list[Value]:
    """The values of a node that may share memory once it has run."""
    inputs, outputs = list(node.inputs()), list(node.outputs())
    schema = _schema(node.schema())
    if schema is None:
        return inputs + outputs
    silent = _may_be_silent(schema.name, schema.overload_name)
    # Not strict: format takes any number of arguments, of which its schema names the first.
    returned = list(zip(schema.returns, outputs, strict=False))
    unmarked = [value.type() for part, value in returned if part.alias_info is None]
    if any(_holds(kind) and (silent or kind.kind() != "TensorType") for kind in unmarked):
        return [value for value in inputs + outputs if _holds(value.type())]
    given = list(zip(schema.arguments, inputs, strict=False))
    return [value for part, value in given + returned if part.alias_info is not None]


def _writes(block: Graph | Block) -> Iterator[tuple[Node, Value]]:
    for node in block.nodes():
        for inner in node.blocks():
            yield from _writes(inner)
        schema = _schema(node.schema())
        if schema is not None:
            for argument, value in zip(schema.arguments, node.inputs(), strict=False):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    yield node, value
        if node.kind() in _HIDDEN_WRITES:
            switch, names = _HIDDEN_WRITES[node.kind()]
            off: object = node.namedInput(switch).toIValue()  # None where it is no constant
            if off is not False:
                yield from ((node, node.namedInput(name)) for name in names)


@lru_cache(maxsize=4096)
def _schema(text: str) -> FunctionSchema | None:
    """The schema of a node; None where it has none, as the nodes of the language itself."""
    return None if text == "(no schema)" else torch._C.parse_schema(text)


@lru_cache(maxsize=4096)
def _may_be_silent(name: str, overload: str) -> bool:
    """Whether outputs that the schema does not mark may be views all the same."""
    if name in FRESH:
        return False
    full = f"{name}.{overload}" if overload else name
    if not torch._C._dispatch_has_kernel(full):
        return True  # an operator of the language, which the dispatcher does not know
    composed = torch._C._dispatch_has_kernel_for_dispatch_key(full, "CompositeImplicitAutograd")
    return composed or name in _SILENT


def _mutable(kind: "JitType") -> bool:
    """Whether a value of the type has memory that could be written to."""
    match kind.kind():
        case "OptionalType":
            return _mutable(kind.getElementType())
        case "TupleType":
            return any(map(_mutable, kind.elements()))  # type: ignore[attr-defined] # of its subclass
        case name:
            return name not in _IMMUTABLE


def _holds(kind: "JitType") -> bool:
    """Whether a value of the type leads to tensors, its own or those of others."""
    match kind.kind():
        case "OptionalType" | "ListType":
            return _holds(kind.getElementType())
        case "TupleType":
            return any(map(_holds, kind.elements()))  # type: ignore[attr-defined] # of its subclass
        case name:
            return name not in _IMMUTABLE
