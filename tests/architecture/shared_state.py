"""The rule on what outlives a request: a module or a class keeps nothing that changes.

Two requests, two threads or two services in one process would meet there. What a service keeps
belongs to an object that `create_app` makes. Tables that nothing writes to are no state.
"""

import ast
from collections.abc import Iterator, Sequence

from tests.architecture.sources import Module, within

ROOMS = ("app", "image_files", "model_store")

# What may be kept all the same, and why that is sound.
KEPT = {
    "app.engine.cuda_execution._stream": "one queue a device is what makes its order one",
    "app.latent_math._START": "an array that is made read-only in the next line",
    "app.request_record.COUNT": "numbers requests of a process; `next` is one step",
    "app.routes.explorer.router": "its routes are declared at import, by a function",
    "app.worker_threads.THREADS": "threads of the process; nothing of a request stays in them",
    "image_files.png._header": "answers a tuple of numbers",
    "model_store.ownership._schema": "answers what torch has no means to change",
    "model_store.verification._VERIFIER": "the process's one verifier, behind a lock of its own",
}
# Calls whose results never change, and those that declare what is filled at import alone.
UNCHANGING = {
    *("APIRouter", "BeforeValidator", "ConfigDict", "Field", "SettingsConfigDict", "TypeVar"),
    *("MappingProxyType", "Motion", "Pace", "Problem", "Sheet", "Struct", "chunk", "_written"),
    *("bytes", "compile", "device", "float", "frozenset", "get_args", "getLogger", "log"),
    *("maketrans", "range", "sorted", "tuple"),
}
# Tables, as long as nothing writes to them.
TABLES = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
PLAIN_ANSWERS = {"bool", "bytes", "frozenset[str]", "int", "str"}
WRITES = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "fill", "insert", "pop"),
    *("popitem", "popleft", "remove", "reverse", "setdefault", "sort", "update"),
}


def state_that_is_shared(module: Module) -> Iterator[str]:
    """What a module or a class keeps that changes."""
    if not any(within(module.name, room) for room in ROOMS):
        return
    found = {*_kept_in(module.tree.body, module.name), *_written_to(module)}
    for name in sorted(found - KEPT.keys()):
        yield f"{name} is shared by all that use it, and changes: give it to an object of its own"


def _kept_in(body: Sequence[ast.AST], owner: str, *, inside: bool = False) -> Iterator[str]:
    """What statements keep; `inside` of a class, where every instance sees it."""
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [ast.unparse(target) for target in targets]
            if node.value is not None and _changes(node.value, names, inside):
                yield from (f"{owner}.{name}" for name in names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            answer = ast.unparse(node.returns) if node.returns else ""
            if answer not in PLAIN_ANSWERS and any(map(_is_cache, node.decorator_list)):
                yield f"{owner}.{node.name}"
        elif isinstance(node, ast.ClassDef):
            yield from _kept_in(node.body, f"{owner}.{node.name}", inside=True)
        else:
            within_it = ast.iter_child_nodes(node)
            inner = [part for part in within_it if isinstance(part, ast.stmt | ast.excepthandler)]
            yield from _kept_in(inner, owner, inside=inside)


def _changes(value: ast.expr, names: list[str], inside: bool) -> bool:  # noqa: FBT001
    if isinstance(value, ast.GeneratorExp):
        return True
    if isinstance(value, TABLES):  # by their names nobody takes them for a place to keep things
        return inside or not all(name.isupper() or name == "__all__" for name in names)
    if isinstance(value, ast.Call):
        called = value.func.value if isinstance(value.func, ast.Subscript) else value.func
        name = ast.unparse(called).rpartition(".")[2]
        return name not in UNCHANGING
    return False


def _is_cache(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called).rpartition(".")[2] in ("cache", "lru_cache")


def _written_to(module: Module) -> Iterator[str]:
    """Tables of this module, or of another one, that something in here writes to."""
    tables = {
        target.id
        for node in module.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module.tree):
        written: list[ast.expr] = []
        if isinstance(node, ast.Global):
            yield from (f"{module.name}.{name}" for name in node.names)
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            written = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            written = [node.func.value] if node.func.attr in WRITES else []
        elif isinstance(node, ast.AugAssign):
            written = [node.target]
        for place in written:
            name = ast.unparse(place)
            last = name.rpartition(".")[2]
            if name in tables or (last.isidentifier() and last.isupper()):
                yield f"{module.name}.{name}"
