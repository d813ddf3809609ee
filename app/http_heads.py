"""A request's head, parsed: what is refused of it beyond what llhttp refuses."""

from app import http_refusals

MAX_HEADERS = 100
VERSIONS = ("1.1", "1.0")

HeaderLines = list[tuple[bytes, bytes]]


def check_head(
    url: bytes, headers: HeaderLines, version: str, max_bytes: int, *, counted: bool
) -> dict[bytes, bytes]:
    """The headers by name, of lines with one name the last; raises Refused.

    Where bytes are `counted` already, there are few.
    """
    size = 0 if counted else len(url) + sum(len(name) + len(value) for name, value in headers)
    if size > max_bytes or len(headers) > MAX_HEADERS:
        raise http_refusals.head_too_large(max_bytes, MAX_HEADERS)
    if version not in VERSIONS:
        raise http_refusals.other_version()
    found = dict(headers)
    # Whom a request is for is to be said once, and how long it is in one way, or a proxy in front
    # could take it for another one than it is here.
    if len(found) < len(headers) and sum(name == b"host" for name, _ in headers) > 1:
        raise http_refusals.unreadable()
    if b"host" not in found and version == "1.1":
        raise http_refusals.unreadable()
    if b"transfer-encoding" in found:
        codings = [value for name, value in headers if name == b"transfer-encoding"]
        if version == "1.0":
            raise http_refusals.unreadable()
        if [coding.lower() for coding in codings] != [b"chunked"]:
            raise http_refusals.other_coding()
    return found


def asked_for(host: bytes, port: int | None, headers: HeaderLines) -> HeaderLines:
    """The headers with the host that a target in absolute form names, which is whom it is for,
    whatever they say (RFC 9112, section 3.2.2).
    """
    name = b"[%s]" % host if b":" in host else host
    line = (b"host", name if port is None else b"%s:%d" % (name, port))
    return [line, *(other for other in headers if other[0] != b"host")]


def without_upgrade(method: bytes, url: bytes, version: str, headers: HeaderLines) -> bytes:
    """The head again as bytes, without its offer to go on in another protocol."""
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode())]
    for name, value in headers:
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            kept = b", ".join(option for option in options if option.lower() != b"upgrade")
            lines += [b"connection: " + kept] if kept else []
        elif name != b"upgrade":
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])
