"""The project's modules as syntax trees, and the small questions that the rules ask of them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ROOMS = ("app", "image_files", "model_store", "training")


class Module(NamedTuple):
    """One source file."""

    name: str  # dotted, as it is imported
    source: str

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.source)


@cache
def _parsed(source: str) -> ast.Module:
    """Once, though each rule looks at it."""
    return ast.parse(source)


def modules() -> list[Module]:
    """Every module of the rooms."""
    return [
        Module(_dotted(path), path.read_text()) for room in ROOMS for path in _files(ROOT / room)
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(module: Module) -> Iterator[str]:
    """Every name that the module imports, wherever it does: `import a.b`, `from a import b`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def uses(module: Module, name: str) -> bool:
    """Whether the module imports `name`, something in it, or spells it out as an attribute."""
    imported = any(used == name or used.startswith(f"{name}.") for used in imports(module))
    spelled = any(
        isinstance(node, ast.Attribute) and ast.unparse(node) == name
        for node in ast.walk(module.tree)
    )
    return imported or spelled


def within(name: str, package: str) -> bool:
    """Whether `name` is `package` or lies in it."""
    return name == package or name.startswith(f"{package}.")
