"""What an operator's machine lacks or takes away while the service runs."""

import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.app.processes import process, service, until
from tests.factories import publish_kind
from tests.serving import environment

FREE_DESCRIPTORS = 8
# As in a container with a read-only root: no home, no user of that number, nothing to write to but
# what is mounted over TEMPORARY.
BARE = """
mount --make-rprivate / && mount -o remount,bind,ro / &&
mount -t tmpfs -o ro none /dev/shm && mount -t tmpfs {options} none {temporary} &&
exec unshare --user --map-user=12345 --map-group=12345 {python} -m app
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("surroundings") / "store"
    store.mkdir()
    publish_kind(store, "grey")
    return store


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


def highest(pid: int) -> int:
    """The greatest descriptor that a process has open."""
    return max(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir())


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_it_waits_and_then_goes_on(store: Path) -> None:
    with service(store) as running:
        url = httpx.URL(running.url)
        pid = running.process.pid
        usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest(pid) + FREE_DESCRIPTORS, usual[1]))
        clients = [socket.socket() for _ in range(4 * FREE_DESCRIPTORS)]
        for client in clients:
            client.settimeout(0)
            client.connect_ex((url.host, url.port))
        before, began = cpu_seconds(pid), time.monotonic()
        time.sleep(3)
        # It does not ask again and again for what there is none of.
        assert cpu_seconds(pid) - before < 0.5 * (time.monotonic() - began)
        for client in clients:
            client.close()
        assert running.get("/sample?seed=1").status_code == 200
        resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
        running.process.terminate()
        assert running.end() == 0, running.log


def test_it_ends_in_order_without_descriptors(store: Path) -> None:
    with service(store) as running:
        url = httpx.URL(running.url)
        pid = running.process.pid
        usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest(pid) + 1, usual[1]))
        clients = [socket.socket() for _ in range(FREE_DESCRIPTORS)]
        for client in clients:
            client.settimeout(0)
            client.connect_ex((url.host, url.port))
        try:
            running.process.terminate()
            assert running.end() == 0, running.log
        finally:
            for client in clients:
                client.close()
    assert "Traceback" not in running.log


@pytest.mark.parametrize(
    ("workers", "streams"),
    [
        (1, "broken"),
        (2, "closed"),
        pytest.param(1, "closed", marks=pytest.mark.slow),
        pytest.param(2, "broken", marks=pytest.mark.slow),
    ],
)
def test_it_serves_on_where_nobody_reads_its_log(store: Path, workers: int, streams: str) -> None:
    port = free_port()
    given = environment(store, workers=workers, port=port, access_log="true")
    command = [sys.executable, "-m", "app"]
    if streams == "closed":
        command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    read_end, write_end = os.pipe()
    running = subprocess.Popen(command, env=given, stdout=write_end, stderr=write_end)
    os.close(read_end)
    os.close(write_end)

    def answer() -> bool:
        assert running.poll() is None
        try:
            return httpx.get(f"http://127.0.0.1:{port}/sample?seed=1").status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(answer, lambda: "it does not serve", 60)
        assert all(answer() for _ in range(20))
        # What is number 0, 1 or 2 is never a connection: libraries write there.
        for number in range(3):
            name = str(Path(f"/proc/{running.pid}/fd/{number}").readlink())
            assert not name.startswith("socket")
        running.terminate()
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()


@pytest.mark.parametrize(("workers", "options"), [(1, "-o ro"), (2, "")])
def test_it_serves_where_it_owns_nothing(
    workers: int, options: str, store: Path, tmp_path: Path
) -> None:
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"nothing can be mounted here: {tried.stderr.decode().strip()}")
    # One process needs no place to write to at all; several share their metrics' files in one.
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    script = BARE.format(python=sys.executable, options=options, temporary=temporary)
    given = {
        name: value
        for name, value in environment(store, workers=workers).items()
        if name.startswith("LATENTD_") or name in ("PATH", "PYTHONPATH")
    }
    become = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
    command = ["-c", become, "unshare", "--mount", "sh", "-c", script]
    with process(command, given | {"TMPDIR": str(temporary)}) as running:
        assert running.get("/sample?seed=1").status_code == 200
        running.process.terminate()
        assert running.end() == 0, running.log
    assert "Traceback" not in running.log
