"""Files and folders that survive a power cut once the call returns. Knows nothing of models."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO


def copy(source: BinaryIO, target: Path) -> None:
    """Copy an open file to a new one and wait until it is on the disk."""
    with target.open("xb") as writer:
        shutil.copyfileobj(source, writer, 1 << 20)
        writer.flush()
        os.fsync(writer.fileno())


def write(file: Path, text: str) -> None:
    """Write a text file and wait until it is on the disk."""
    with file.open("w", encoding="utf-8") as writer:
        writer.write(text)
        writer.flush()
        os.fsync(writer.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; a file's own fsync does not cover them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
