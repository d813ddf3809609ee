"""Which files below a folder are a data set's images, and which part of the split they are of.

Knows names, folders and links; opens no file.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from training.datasets.dataset import shown
from training.errors import DataError

# What systems and tools leave beside one's own files; what begins with a dot is left in any case.
NOT_DATA = {"__macosx", "$recycle.bin", "system volume information", "@eadir", "lost+found"}
SPLITS = {
    "train": {"train", "training"},
    "validation": {"val", "valid", "validation", "dev", "eval"},
    "test": {"test", "testing"},
}
PART_OF = {name: part for part, names in SPLITS.items() for name in names}
NAMED = 5


class ImagePath(NamedTuple):
    """An image file, and the folder whose subfolders are classes: the data's, or a split's."""

    file: Path
    folder: Path

    @property
    def class_name(self) -> str:
        """The subfolder that it is in, at any depth; empty in none."""
        inside, *rest = self.file.relative_to(self.folder).parts
        return inside if rest else ""


class Found(NamedTuple):
    """The images of a data set."""

    train: list[ImagePath]
    test: list[ImagePath] | None
    """None where there is no split."""
    notes: tuple[str, ...]


def find_images(folder: Path, suffixes: Collection[str], wanted: str) -> Found:
    """The images below `folder`, in the order of their names; DataError where there is none.

    Folders `train` and `test`, or others of such names, are the split: one for training, and one
    for testing or, where there is none with images, for validation. Linked folders are followed,
    each once.
    """
    roots, notes = _roots(folder, suffixes)
    walk = _Walk(suffixes)
    found = walk.images([root for part in roots.values() for root in part])
    parts = {
        part: [ImagePath(file, root) for root in folders for file in found[root]]
        for part, folders in roots.items()
    }
    if "" in parts:
        train, test, source = parts[""], None, folder
    else:
        train, source = parts["train"], roots["train"][0]
        test = parts.get("test") or parts.get("validation") or []
    notes += walk.notes
    if test and parts.get("test") and parts.get("validation"):
        left = len(parts["validation"])
        notes.append(f"{left} images for validation are left out: those for testing are taken")
    if not train:
        raise DataError(f"{shown(source)}: no image found; wanted {wanted}")
    if test == []:
        empty = next(root for part in ("test", "validation") for root in roots.get(part, ()))
        raise DataError(f"{shown(empty)}: no image found; wanted {wanted}")
    return Found(train, test, tuple(notes))


def _roots(folder: Path, suffixes: Collection[str]) -> tuple[dict[str, list[Path]], list[str]]:
    """The folders of each part of the split, or of the part "" all folders; and a line of those
    that are left out.
    """
    parts: dict[str, list[Path]] = {}
    others: list[str] = []
    loose = False
    for inside in sorted(entry for entry in folder.iterdir() if _is_data(entry.name)):
        if not inside.is_dir():
            loose = loose or inside.suffix.lower() in suffixes
        elif inside.name.lower() in PART_OF:
            parts.setdefault(PART_OF[inside.name.lower()], []).append(inside)
        else:
            others.append(shown(inside.name))
    if "train" in parts and len(parts) > 1:
        beside = f"beside the split, folders are left out: {_some(others)}"
        return parts, [beside] if others else []
    if parts and not others and not loose:
        # All that is left of a split is one side of it: its name is no class.
        return {"": [root for folders in parts.values() for root in folders]}, []
    return {"": [folder]}, []


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + ", …" * (len(names) > NAMED)


def _is_data(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in NOT_DATA


class _Walk:
    """Folders read so far, by device and number, so that none is read twice."""

    def __init__(self, suffixes: Collection[str]) -> None:
        self.suffixes = suffixes
        self.seen: dict[tuple[int, int], Path] = {}
        self.twice: list[str] = []
        self.broken: list[str] = []

    @property
    def notes(self) -> list[str]:
        """What was not read, the first few by name."""
        said = {
            "linked folders are read under their other names": self.twice,
            "links or folders cannot be followed": self.broken,
        }
        return [f"{len(names)} {what}: {_some(names)}" for what, names in said.items() if names]

    def images(self, roots: Sequence[Path]) -> dict[Path, list[Path]]:
        """The images below each root: what lies there by itself first, then what is linked.

        So a folder that is there and linked too keeps its own place, whatever the link is called.
        """
        found: dict[Path, list[Path]] = {root: [] for root in roots}
        waiting = [(root, root) for root in roots]
        while waiting:
            links: list[tuple[Path, Path]] = []
            for root, folder in waiting:
                if self._is_new(folder):
                    for image in self._below(folder, links, root):
                        found[root].append(image)
            waiting = links
        return {root: sorted(files, key=lambda file: file.parts) for root, files in found.items()}

    def _below(self, top: Path, links: list[tuple[Path, Path]], root: Path) -> Iterator[Path]:
        for here, folders, files in os.walk(top, onerror=self._lost):
            folder = Path(here)
            kept = sorted(name for name in folders if _is_data(name))
            links += [(root, folder / name) for name in kept if (folder / name).is_symlink()]
            folders[:] = [
                name
                for name in kept
                if not (folder / name).is_symlink() and self._is_new(folder / name)
            ]
            for name in files:
                file = folder / name
                if _is_data(name) and file.suffix.lower() in self.suffixes:
                    if file.is_file():
                        yield file
                    elif file.is_symlink():
                        self.broken.append(shown(file))

    def _is_new(self, folder: Path) -> bool:
        try:
            status = folder.stat()
        except OSError:
            self.broken.append(shown(folder))
            return False
        key = (status.st_dev, status.st_ino)
        if key in self.seen:
            self.twice.append(f"{shown(folder)} (as {shown(self.seen[key])})")
            return False
        self.seen[key] = folder
        return True

    def _lost(self, error: OSError) -> None:
        self.broken.append(f"{shown(error.filename)} ({error.strerror})")
