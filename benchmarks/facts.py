"""What a result must say to be worth keeping: which machine, which code, which versions."""

import os
import platform
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.environments import PROJECT


def facts(versions: Mapping[str, Mapping[str, str]]) -> dict[str, object]:
    """The first line of a results file; `versions` are those of what is measured, by its name."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "commit": _commit(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def _commit() -> str:
    """The short hash, with a + where the tree differs from it."""
    said = _git("rev-parse", "--short", "HEAD") or "unknown"
    return said + ("+" if _git("status", "--porcelain") else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(PROJECT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
