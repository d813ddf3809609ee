"""Where the benchmarks keep what they make: the peers' environments, the models and the logs."""

import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers.peer import Peer

PROJECT = Path(__file__).parents[1]
CONSTRAINTS = PROJECT / "constraints.txt"
DEFAULT_HOME = Path.home() / ".cache" / "latentd-benchmarks"


class Home(NamedTuple):
    """A folder outside of the project."""

    folder: Path
    venvs: Path

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def python(self, peer: Peer) -> Path:
        """The interpreter that has the peer's packages."""
        return self.venvs / peer.name / "bin" / "python" if peer.own_venv else Path(sys.executable)

    def versions(self, peer: Peer) -> dict[str, str]:
        """Of its packages, as installed."""
        ask = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
        command = [str(self.python(peer)), "-c", ask, *peer.packages]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return dict(zip(peer.packages, said.split(), strict=True))


def install(peer: Peer, home: Home) -> None:
    """Make the peer's environment; torch first and pinned, so that nothing else draws another."""
    python = home.python(peer)
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(CONSTRAINTS)]
    subprocess.run([*pip, "torch"], check=True)
    requirements = PROJECT / "benchmarks" / "peers" / peer.name / "requirements.txt"
    subprocess.run([*pip, "--requirement", str(requirements)], check=True)
