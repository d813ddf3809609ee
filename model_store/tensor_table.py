"""Whether the pickles of a TorchScript archive describe tensors that its records really hold.

The loader of torch trusts them: a record shorter than it should be is read past its end. Here
the pickle is read with inert stand-ins for all that it names, so nothing of it is run.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from model_store.errors import Fault

_ITEM_BYTES = {
    "BFloat16Storage": 2,
    "BoolStorage": 1,
    "ByteStorage": 1,
    "CharStorage": 1,
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "IntStorage": 4,
    "LongStorage": 8,
    "ShortStorage": 2,
}


class _StorageType(NamedTuple):
    name: str


class _Storage(NamedTuple):
    elements: int


class _Inert:
    """Stands for an object of a scripted class."""

    def __setstate__(self, state: object) -> None:
        """Forget the attributes; the tensors among them were checked when they were built."""


def _forget(*_parts: object) -> None:
    """Stand for the functions that build typed lists."""


def check_tensor_table(records: Mapping[str, bytes | memoryview], name: str, folder: str) -> None:
    """Fault where the pickle `name` cannot be read, or disagrees with the records in `folder`."""
    try:
        _Reader(records, name, folder).load()
    except Fault:
        raise
    # Any of these can come out of a pickle that torch did not write.
    except (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
        raise Fault(f"{name} is no pickle that torch.jit wrote: {error}") from error
    except (AttributeError, MemoryError, OverflowError, RecursionError) as error:
        raise Fault(f"{name} is no pickle that torch.jit wrote: {error}") from error


class _Reader(pickle.Unpickler):
    def __init__(self, records: Mapping[str, bytes | memoryview], name: str, folder: str) -> None:
        super().__init__(io.BytesIO(records[name]))
        self._name = name
        self._folder = folder
        self._sizes = {record: len(content) for record, content in records.items()}

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as the base class has it
        """Give an inert stand-in for what a TorchScript pickle may name, and refuse the rest."""
        if module == "torch" and name in _ITEM_BYTES:
            return _StorageType(name)
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle":
            return _forget
        if module.split(".", maxsplit=1)[0] == "__torch__" and not module.startswith(
            "__torch__.torch.classes"
        ):
            return _Inert
        raise Fault(f"{self._name} names {module}.{name}, which no TorchScript archive needs")

    def persistent_load(self, pid: Any) -> _Storage:  # noqa: ANN401 - as the base class has it
        """Check one storage: ("storage", type, key, device, elements)."""
        match pid:
            case ("storage", _StorageType(kind), str(key), str(), int(elements)) if elements >= 0:
                wanted = elements * _ITEM_BYTES[kind]
            case _:
                raise Fault(f"{self._name} holds a storage of an unknown form")
        found = self._sizes.get(f"{self._folder}/{key}")
        if found is None or found < wanted:
            raise Fault(
                f"the record {self._folder}/{key} has {found or 0} bytes where its tensor needs "
                f"{wanted}"
            )
        return _Storage(elements)


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_rest: object
) -> None:
    """Check that the elements of a strided tensor lie within its storage."""
    if len(shape) != len(stride) or min((offset, *shape, *stride)) < 0:
        raise Fault(f"a tensor has offset {offset}, shape {shape} and strides {stride}")
    if 0 in shape:
        return
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if last >= storage.elements:
        raise Fault(
            f"a tensor of shape {shape} and strides {stride} at {offset} does not fit its storage "
            f"of {storage.elements} numbers"
        )
