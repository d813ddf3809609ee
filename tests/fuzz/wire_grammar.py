"""Requests as no library sends them: a grammar of HTTP/1.1 with mutations, and ways to deliver it.

A `Script` is drawn from a random generator alone, so that its number says all of it.
"""

import json
import random
from typing import NamedTuple

CANARY = "/smuggled"
# A request that nobody may ever find: it stands within bodies.
HIDDEN = f"GET {CANARY} HTTP/1.1\r\nHost: inside\r\n\r\n"
LATENTS = {"latents": [[0.5, -1.0, 0.0, 2.0, 0.25]]}
JSON = b"application/json"

Header = tuple[bytes, bytes]


class Request(NamedTuple):
    """One request as bytes; `status` is its answer's where it is a good one, else None."""

    text: bytes
    method: str
    status: int | None


class Script(NamedTuple):
    """What is sent, in which pieces, with which pauses, and how one leaves."""

    requests: list[Request]
    pieces: list[bytes]
    pause: float  # seconds between two pieces
    leaving: str

    @property
    def good(self) -> bool:
        """Whether every request is to be answered as its status says."""
        return self.leaving == "read" and all(one.status is not None for one in self.requests)


# read: every answer; close and reset: with all of it sent; half: with half of it; shut: one's own
# direction alone; peek: after some bytes of an answer.
LEAVINGS = ("read", "read", "read", "close", "reset", "half", "shut", "peek")

GOOD: list[tuple[str, bytes, bytes, int]] = [
    ("GET", b"/sample?n=1&seed=3&format=npy", b"", 200),
    ("GET", b"/sample?n=40&seed=4&format=npy", b"", 200),
    ("GET", b"/health/live", b"", 200),
    ("GET", b"/models/nobody/sample", b"", 404),
    ("GET", b"/sample?n=none", b"", 422),
    ("POST", b"/decode?format=npy", json.dumps(LATENTS).encode(), 200),
    ("POST", b"/decode", b"", 422),
    ("POST", b"/decode", json.dumps({"latents": [[0.5]], "model": HIDDEN}).encode(), 422),
    ("POST", b"/decode", json.dumps(LATENTS | {"model": HIDDEN}).encode(), 200),
    ("POST", b"/nowhere", HIDDEN.encode(), 404),
    ("POST", b"/decode", HIDDEN.encode(), 422),
]
# What changes nothing of the answer's status.
HARMLESS: list[Header] = [
    (b"Upgrade", b"h2c"),
    (b"Connection", b"keep-alive"),
    (b"User-Agent", b"\xff\xfe\x80"),
    (b"Cookie", b"a=b; " * 200),
    (b"Accept-Encoding", b"gzip, br;q=0"),
    (b"Expect", b"100-continue"),
    (b"If-None-Match", b'"nothing", W/"of", this'),
    (b"X-Request-Id", b"given"),
    (b"Range", b"bytes=0-1"),
    (b"TE", b"trailers"),
    (b"X-Empty", b""),
    (b"X-Forwarded-For", b"999.999.1.1, for=unknown"),
]
ODD_METHODS = [
    b"get",
    b"PRI",
    b"TRACE",
    b"CONNECT",
    b"G\x00T",
    b"",
    b"X" * 300,
    b"HEAD",
    b"OPTIONS",
]
ODD_TARGETS = [
    *(b"*", b"sample", b"http://other/sample?n=1", b"//", b"/../../etc/passwd", b"/%00", b"/%ff"),
    *(b"/sample?" + b"n=1&" * 2000, b"/sample#fragment", b"/\xff", b"/sample?n=1 HTTP/1.1 x"),
    *(b"/models/" + b"a" * 3000 + b"/sample", b"/models//sample", b"/models/%2e%2e/sample", b""),
]
ODD_VERSIONS = [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.10", b"http/1.1", b"", b"HTTP/1.1 "]
ODD_LINE = (ODD_METHODS, ODD_TARGETS, ODD_VERSIONS)
ODD_HEADERS: list[Header] = [
    *(
        (b"Content-Length", value)
        for value in (b"-1", b"+5", b"0x10", b"5, 5", b"9" * 30, b"", b"\xb2")
    ),
    *(
        (b"Transfer-Encoding", value)
        for value in (b"gzip, chunked", b"chunked, identity", b"x", b"")
    ),
    *(
        (b"Transfer-Encoding", value)
        for value in (b"chunked", b" chunked", b"\x0bchunked", b"Chunked")
    ),
    *((b"Connection", value) for value in (b"close", b"upgrade", b"upgrade, close", b"\x00")),
    *((b"Upgrade", value) for value in (b"websocket", b"TLS/1.3", b"h2c, other")),
    *(
        (b"X-Request-Timeout", value)
        for value in (b"nan", b"inf", b"-1", b"1e-300", b"1_0", b"x" * 99)
    ),
    *(
        (b"Content-Type", value)
        for value in (b"application/x-npy", b"image/png", b"\xff" * 9, b";" * 99)
    ),
    *((b"Content-Encoding", value) for value in (b"gzip", b"br", b"identity", b"gzip, gzip")),
    *(
        (b"Accept", value)
        for value in (b"*/*;q=nan", b"," * 999, b"image/png;q=" + b"9" * 99, b"\xff")
    ),
    *((b"Host", value) for value in (b"", b"a b", b"[::1", b"x" * 5000)),
    (b"", b"no name"),
    (b"With Space", b"1"),
    (b"Folded", b"one\r\n two"),
    (b"Split\r\nX-Other", b"1"),
    (b"X-Nul", b"a\x00b"),
    (b"X-Bare", b"a\rb"),
    (b"X-Long", b"y" * 70_000),
]


# Chunks that other parsers were found to forgive; behind them stands a request that is in nobody's
# body, and is nobody's request either.
FORGIVEN = [
    *(b"3\r\nabcXX0\r\n\r\n", b"3;a\nb\r\nabc\r\n0\r\n\r\n", b"+3\r\nabc\r\n0\r\n\r\n"),
    *(b"0x3\r\nabc\r\n0\r\n\r\n", b"3\nabc\r\n0\r\n\r\n", b"3 \r\nabc\r\n0\r\n\r\n"),
    *(b"3\r\nabc\n0\r\n\r\n", b"3\r\nabc\r\n0\n\n", b"3\r\nabc\r\n0\r\nX: a\n\r\n"),
    *(
        b"3\r\nabc\r\n0\r\n Y\r\n\r\n",
        b"3\r\rabc\r\n0\r\n\r\n",
        b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n",
    ),
]


def draw_script(number: int) -> Script:
    """The script of that number."""
    dice = random.Random(number)
    requests = []
    for _ in range(dice.choice((1, 1, 1, 2, 3, 5))):
        requests.append(_good(dice) if dice.random() < 0.6 else _odd(dice))
        if requests[-1].status is None:
            break  # what stands behind it may be taken for a part of it
    whole = b"".join(one.text for one in requests)
    leaving = dice.choice(LEAVINGS)
    if leaving == "half":
        whole = whole[: dice.randrange(len(whole))]
    return Script(requests, _pieces(dice, whole), dice.choice((0.0, 0.0, 0.002)), leaving)


def _good(dice: random.Random) -> Request:
    method, target, body, status = dice.choice(GOOD)
    headers: list[Header] = [(b"Host", b"test"), *dice.sample(HARMLESS, dice.choice((0, 0, 1, 3)))]
    if method == "POST":
        headers.append((b"Content-Type", JSON))
        if dice.random() < 0.5:
            headers.append((b"Transfer-Encoding", b"chunked"))
            body = _chunked(dice, body)
        else:
            headers.append((b"Content-Length", b"%d" % len(body)))
    if dice.random() < 0.5:
        headers = [(name.upper(), value) for name, value in headers]
    return Request(_text([method.encode(), target, b"HTTP/1.1"], headers, body), method, status)


def _odd(dice: random.Random) -> Request:
    """A good request in which something is not: which, and how it is answered, is the parser's."""
    method, target, body, _ = dice.choice(GOOD)
    # Where it is not said where a body ends, what stands in it may be a request.
    body = body.replace(HIDDEN.encode(), b"").replace(json.dumps(HIDDEN).encode(), b"0")
    line = [method.encode(), target, b"HTTP/1.1"]
    headers: list[Header] = [(b"Host", b"test"), (b"Content-Type", JSON)]
    kind = dice.choice((*range(len(ODD_LINE)), "header", "header", "many", "frame", "noise"))
    if isinstance(kind, int):
        line[kind] = dice.choice(ODD_LINE[kind])
    elif kind == "header":
        headers += dice.sample(ODD_HEADERS, dice.choice((1, 1, 2)))
    elif kind == "many":
        headers += [(b"X-%d" % number, b"v") for number in range(dice.choice((99, 400)))]
    elif kind == "frame":
        headers.append((b"Transfer-Encoding", b"chunked"))
        body = _badly_chunked(dice, body)
    if kind != "frame" and dice.random() < 0.8:
        length = len(body) + dice.choice((0, 0, 0, 1, -1, 999))
        headers.append((b"Content-Length", b"%d" % length))
    text = bytearray(_text(line, headers, body))
    for _ in range(dice.choice((1, 3, 9)) if kind == "noise" else 0):
        text[dice.randrange(len(text))] = dice.randrange(256)
    return Request(bytes(text), method, None)


def _text(line: list[bytes], headers: list[Header], body: bytes) -> bytes:
    lines = [b" ".join(line), *(b": ".join(header) for header in headers)]
    return b"\r\n".join((*lines, b"", body))


def _chunked(dice: random.Random, body: bytes) -> bytes:
    """As RFC 9112 allows it: any sizes, leading zeros, extensions, trailers."""
    parts = []
    while body:
        size = dice.choice((1, 7, 64, len(body)))
        part, body = body[:size], body[size:]
        digits = dice.choice(("%x", "%X", "00%x")) % len(part)
        parts.append(f"{digits}{dice.choice(('', '', ';a=b', ';a'))}\r\n".encode() + part + b"\r\n")
    trailer = dice.choice((b"", b"", b"X-Trailer: 1\r\n", b"X-A: 1\r\nX-B: 2\r\n"))
    return b"".join(parts) + b"0\r\n" + trailer + b"\r\n"


def _badly_chunked(dice: random.Random, body: bytes) -> bytes:
    if dice.random() < 0.4:
        return dice.choice(FORGIVEN) + HIDDEN.encode()
    good = _chunked(dice, body)
    return dice.choice(
        (
            good[: dice.randrange(len(good))],
            good.replace(b"\r\n", b"\n"),
            b"-" + good,
            b"f" * dice.choice((8, 17, 40)) + b"\r\n" + good,
            b" " + good,
            b"0x5\r\nabcde\r\n" + good,
            b"5;" + b"x" * 20_000 + b"\r\n" + good,
            good[:-2] + b"X-Trailer: 1\r\n" * 5_000 + b"\r\n",
            good[:-2] + b"Content-Length: 5\r\n\r\n",
        )
    )


def _pieces(dice: random.Random, whole: bytes) -> list[bytes]:
    """At once, in a few, or each byte alone."""
    if len(whole) < 300 and dice.random() < 0.1:
        return [whole[n : n + 1] for n in range(len(whole))]
    cuts = sorted(dice.randrange(len(whole) + 1) for _ in range(dice.choice((0, 0, 1, 4))))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
