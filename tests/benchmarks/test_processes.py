"""A server's processes are found, added up, and ended to the last one."""

import sys
from pathlib import Path

import pytest

from benchmarks.measure import _free_port as free_port
from benchmarks.processes import running

# Burns 0.2 s in a child that it reaps, and leaves one that sleeps in a session of its own.
SERVER = """
import http.server, subprocess, sys
burn = "import time\\nwhile time.process_time() < 0.2: pass"
subprocess.run([sys.executable, "-c", burn])
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler
    ).serve_forever()
"""


def test_the_whole_tree_is_watched_and_ended(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port)]
    with running(command, ("127.0.0.1", port), "/", tmp_path / "log") as server:
        assert len(server.tree.alive()) == 2
        assert server.tree.cpu_seconds() >= 0.2
        assert 0 < server.start_seconds < 30
        assert 0 < server.tree.proportional_bytes() <= server.tree.resident_bytes()
        assert server.tree.resident_bytes() <= server.tree.peak_bytes()
    assert not server.tree.alive()


def test_a_server_that_ends_is_said_to_have(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"ended with 3; see .*log"),
        running([sys.executable, "-c", "exit(3)"], ("127.0.0.1", 1), "/", tmp_path / "log"),
    ):
        pass
