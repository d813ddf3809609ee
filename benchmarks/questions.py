"""What a caller may want, as facts, before any server's dialect of HTTP; and a request's bytes.

Standard library only: the peers' adapters are imported in their own environments too.
"""

import json
from typing import NamedTuple


class Decode(NamedTuple):
    """A PNG of one latent."""

    model: str
    latent: list[float]


class Sample(NamedTuple):
    """A PNG of one sample, or of a contact sheet of several."""

    n: int
    seed: int


class Walk(NamedTuple):
    """A PNG strip of the frames of a straight line."""

    start: list[float]
    end: list[float]
    steps: int


class Encode(NamedTuple):
    """The posterior's mean of one image."""

    png: bytes


class Rows(NamedTuple):
    """Samples as an array in a .npy file."""

    n: int
    seed: int


class Unchanged(NamedTuple):
    """A sample that the caller has already, by its ETag."""

    seed: int
    etag: str


Question = Decode | Sample | Walk | Encode | Rows | Unchanged


def get(path: str, **headers: str) -> bytes:
    """A GET request."""
    return _request("GET", path, headers, b"")


def post_json(path: str, body: object) -> bytes:
    """A POST request of JSON without spaces."""
    data = json.dumps(body, separators=(",", ":")).encode()
    return post(path, data, "application/json")


def post(path: str, body: bytes, content_type: str) -> bytes:
    """A POST request."""
    length = str(len(body))
    return _request("POST", path, {"Content-Type": content_type, "Content-Length": length}, body)


def _request(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
