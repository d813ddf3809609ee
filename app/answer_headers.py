"""Headers of every answer, whoever gives it: how browsers are to take it, and who may read it."""

from collections.abc import Sequence

from starlette.types import Scope

Header = tuple[bytes, bytes]

NO_SNIFFING = (b"x-content-type-options", b"nosniff")
# Nothing here is ever a page but the page at `/` and /docs, which bring policies of their own.
POLICY_HEADER = b"content-security-policy"
SECURITY = (NO_SNIFFING, (POLICY_HEADER, b"default-src 'none'"))

REQUEST_ID = "X-Request-Id"
# What other origins' pages may read beside what browsers always let them.
EXPOSED = [
    *("ETag", "Retry-After", REQUEST_ID, "Server-Timing"),
    *("X-Latentd-Bits-Per-Dimension", "X-Latentd-Bytes", "X-Latentd-Dimensions"),
    *("X-Latentd-Model", "X-Latentd-Neighbours", "X-Latentd-Seed"),
]
# A browser asks again after so many seconds; it takes none for longer than two hours.
PREFLIGHT_SECONDS = 3600
PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    # A star leaves out this one header, which a proxy may want.
    (b"access-control-allow-headers", b"*, Authorization"),
    (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
)


class AnswerHeaders:
    """What is added to an answer's own headers."""

    def __init__(self, origins: Sequence[str]) -> None:
        """Pages of `origins` may call; `*` lets those of any."""
        self._listed = frozenset(origin.encode() for origin in origins if origin != "*")
        self._expose = (b"access-control-expose-headers", ", ".join(EXPOSED).encode())
        self._to_all: tuple[Header, ...] = ()
        if "*" in origins:
            self._listed = frozenset()
            self._to_all = ((b"access-control-allow-origin", b"*"), self._expose)
        self._always = (*SECURITY, *self._to_all)

    def add(self, scope: Scope, headers: list[Header]) -> None:
        """Add them to `headers`, of which none is there yet."""
        headers += self._always
        if self._listed:
            self._add_origin(scope, headers)

    def add_to_any(self, scope: Scope, headers: list[Header]) -> None:
        """The same to headers that may bring a policy of their own."""
        if any(name == POLICY_HEADER for name, _ in headers):
            headers += (NO_SNIFFING, *self._to_all)
        else:
            headers += self._always
        if self._listed:
            self._add_origin(scope, headers)
        may_call = (self._to_all or self._listed) and scope["method"] == "OPTIONS"
        if may_call and any(
            name == b"access-control-request-method" for name, _ in scope["headers"]
        ):
            headers += PREFLIGHT

    def _add_origin(self, scope: Scope, headers: list[Header]) -> None:
        # What one origin may read is not what a cache may give to all.
        _vary(headers, b"Origin")
        for name, value in scope["headers"]:
            if name == b"origin" and value in self._listed:
                headers += ((b"access-control-allow-origin", value), self._expose)
                return


def _vary(headers: list[Header], by: bytes) -> None:
    for place, (name, value) in enumerate(headers):
        if name.lower() == b"vary":
            headers[place] = (name, b"%s, %s" % (value, by))
            return
    headers.append((b"vary", by))
