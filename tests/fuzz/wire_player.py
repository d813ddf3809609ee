"""Plays scripts against a running service, and looks whether it is as it was before."""

import asyncio
import re
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.app.processes import Service, until
from tests.fuzz.wire_grammar import CANARY, Script, draw_script

QUIET = 0.15  # seconds without a byte, after which nothing more is expected for a bad request
PATIENCE = 20.0  # for the answers to good ones
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing is a reset
SEVERAL = 8  # scripts at a time
HEAD = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n((?:[!-9;-~]+: ?[^\r\n]*\r\n)*)\r\n")
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
QUESTION = "/sample?n=2&seed=9&format=npy"
REFUSALS = {501, 503, 504, 505}  # of the statuses from 500 on
STAYING = ("read", "shut", "peek")
GAUGES = ("latentd_queued_rows",)


class Before(NamedTuple):
    """What has to be so again."""

    answer: bytes
    descriptors: int
    gauges: dict[str, float]


def look(service: Service) -> Before:
    """As it is now, asked over connections of their own."""
    assert service.get("/health/live").status_code == 200
    answer = service.get(QUESTION)
    assert answer.status_code == 200
    text = service.get("/metrics").text
    gauges = {}
    for name in GAUGES:
        found = re.search(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        gauges[name] = float(found[1]) if found else 0.0
    return Before(answer.content, descriptors(service.process.pid), gauges)


def descriptors(pid: int) -> int:
    """Open ones of a process."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def play(service: Service, numbers: range) -> None:
    """Play the scripts of these numbers; AssertionError names those after which it fails."""
    before = look(service)
    address = httpx.URL(service.url)
    for first in range(numbers.start, numbers.stop, SEVERAL):
        group = range(first, min(first + SEVERAL, numbers.stop))
        asyncio.run(_play(address.host, address.port or 80, group))
        now = look(service)
        assert now.answer == before.answer, f"after {group}: the next answer is another"
        assert CANARY not in service.log, f"after {group}: a request was found in a body"
        faults = re.search(r"Traceback|\bERROR\b|\bCRITICAL\b", service.log)
        assert not faults, f"after {group}:\n{service.log[-3000:]}"
    until(lambda: look(service).gauges == before.gauges, lambda: f"gauges: {look(service).gauges}")
    # A few connections may be on their way out.
    most = before.descriptors + 2
    until(lambda: look(service).descriptors <= most, lambda: f"more than {most} descriptors stay")


async def _play(host: str, port: int, numbers: range) -> None:
    await asyncio.gather(*(_play_one(host, port, number) for number in numbers))


async def _play_one(host: str, port: int, number: int) -> None:
    script = draw_script(number)
    reader, writer = await asyncio.open_connection(host, port)
    try:
        received = await _exchange(script, reader, writer)
    except OSError:  # the service hung up first
        received = b""
        assert not script.good, f"script {number}: hung up on good requests"
    finally:
        writer.transport.abort()
    told = [int(status) for status in STATUS.findall(received)]
    assert all(status < 500 or status in REFUSALS for status in told), f"script {number}: {told}"
    if script.good:
        wanted = [one.status for one in script.requests]
        got = _statuses(received, [one.method for one in script.requests])
        assert got == wanted, f"script {number}: answered {got}, not {wanted}"


async def _exchange(
    script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    """Send it, and give what came back for as long as one stays."""
    for piece in script.pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(script.pause)
    match script.leaving:
        case "shut":
            with suppress(OSError):
                writer.write_eof()
        case "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    if script.leaving in STAYING:
        return await _read(script, reader)
    return b""


async def _read(script: Script, reader: asyncio.StreamReader) -> bytes:
    received = bytearray()
    patience = PATIENCE if script.good else QUIET
    with suppress(TimeoutError):
        while not (script.good and _complete(bytes(received), script)):
            more = await asyncio.wait_for(reader.read(65536), patience)
            received += more
            if not more or script.leaving == "peek":
                break
    return bytes(received)


def _complete(received: bytes, script: Script) -> bool:
    with suppress(ValueError):
        return bool(_statuses(received, [one.method for one in script.requests]))
    return False


def _statuses(received: bytes, methods: list[str]) -> list[int]:
    """Of each whole answer, 100 left out; ValueError where the last one is not whole."""
    found, at = [], 0
    for method in methods:
        while (head := HEAD.match(received, at)) and head[1] == b"100":
            at = head.end()
        if head is None:
            raise ValueError(f"no head at {received[at : at + 60]!r}")
        at = head.end()
        lines = (line.partition(b":") for line in head[2].split(b"\r\n")[:-1])
        headers = {name.lower(): value.strip() for name, _, value in lines}
        if method != "HEAD" and head[1] not in (b"204", b"304"):
            at = _body_end(received, at, headers)
        found.append(int(head[1]))
    if at != len(received):
        raise ValueError(f"{received[at : at + 60]!r} stands behind the last answer")
    return found


def _body_end(received: bytes, at: int, headers: dict[bytes, bytes]) -> int:
    if headers.get(b"transfer-encoding") == b"chunked":
        end = received.find(b"\r\n0\r\n\r\n", at - 2)
        if end < 0:
            raise ValueError("the chunks have no end")
        return end + 7
    end = at + int(headers[b"content-length"])
    if end > len(received):
        raise ValueError("the body is not whole")
    return end
