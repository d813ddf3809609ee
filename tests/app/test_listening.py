"""Where the service listens, and where it is asked: with IPv6, and on a machine without it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from app import listening
from tests.app.processes import service
from tests.app.test_start import run
from tests.factories import publish_kind

# Binds as a machine without IPv6 does: in a network of its own, where it is turned off.
WITHOUT_IPV6 = """
import pathlib, subprocess, sys
pathlib.Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
from app import listening
for bound in listening.bind(sys.argv[1], 0, shared=False):
    print(*bound.getsockname()[:1])
"""


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@contextmanager
def heard(host: str) -> Iterator[int]:
    """The port of sockets that listen on a host's addresses."""
    sockets = listening.bind(host, 0, shared=False)
    try:
        for bound in sockets:
            bound.listen()
        yield listening.port_of(sockets[0])
    finally:
        listening.close(sockets)


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("0.0.0.0", ["127.0.0.1"]),
        ("localhost", ["127.0.0.1"]),
        pytest.param("::1", ["::1"], marks=needs_ipv6),
        pytest.param("[::1]", ["::1"], marks=needs_ipv6),
        pytest.param("::", ["::1", "127.0.0.1"], marks=needs_ipv6),
        pytest.param("[::]", ["::1", "127.0.0.1"], marks=needs_ipv6),
    ],
)
def test_what_is_listened_on_is_reached(host: str, reached: list[str]) -> None:
    with heard(host) as port:
        for address in reached:
            socket.create_connection((address, port), 5).close()


@pytest.mark.parametrize(
    ("host", "bound"),
    [("::1", ["127.0.0.1"]), ("localhost", ["127.0.0.1"]), ("::", ["::", "0.0.0.0"])],
)
def test_without_ipv6_it_listens_on_what_there_is(host: str, bound: list[str]) -> None:
    probe = ["unshare", "--net", "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no network of one's own can be made here, so IPv6 cannot be turned off")
    said = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", WITHOUT_IPV6, host],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    assert len(said) == 1
    assert said[0] in bound


def test_a_name_that_is_none_is_said() -> None:
    with pytest.raises(OSError, match=r"LATENTD_HOST=no\.such\.invalid: there is no such"):
        listening.bind("no.such.invalid", 0, shared=False)
    with pytest.raises(OSError, match="LATENTD_HOST="):
        listening.bind("a" * 70 + ".invalid", 0, shared=False)


@pytest.mark.parametrize(
    ("host", "urls"),
    [
        ("0.0.0.0", ["http://127.0.0.1:80"]),
        ("::", ["http://[::1]:80", "http://127.0.0.1:80"]),
        ("::1", ["http://[::1]:80", "http://127.0.0.1:80"]),
        ("[fd00::7]", ["http://[fd00::7]:80"]),
        ("localhost", ["http://localhost:80"]),
        ("10.0.0.7", ["http://10.0.0.7:80"]),
    ],
)
def test_it_is_asked_where_it_listens(host: str, urls: list[str]) -> None:
    assert listening.urls_to_ask(host, 80) == urls


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "localhost", pytest.param("::", marks=needs_ipv6), "::1"]
)
def test_health_finds_the_service_on_every_kind_of_host(
    host: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = tmp_path_factory.mktemp("listening") / "store"
    store.mkdir()
    publish_kind(store, "grey")
    with service(store, host=host) as running:
        port = httpx.URL(running.url).port
        asked = run("health", store=store, host=host, port=port)
        assert asked.returncode == 0, asked.stderr
        assert "grey@1" in asked.stdout
        running.process.terminate()
        assert running.end() == 0
