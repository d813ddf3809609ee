"""What the server itself answers, to requests that the application never hears of: as problems."""

from http import HTTPStatus

import orjson

from app.answer_headers import SECURITY


class Refused(Exception):
    """A request that goes no further; raised into the parser, it stops that."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    def answer(self, *more: bytes) -> bytes:
        """The whole response (RFC 9457), after which the connection is closed."""
        status = self.status
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value}
        body = orjson.dumps(problem | {"detail": self.detail})
        lines = [
            b"HTTP/1.1 %d %s" % (status, status.phrase.encode()),
            b"content-type: application/problem+json",
            b"content-length: %d" % len(body),
            *(name + b": " + value for name, value in SECURITY),
            *more,
            b"connection: close",
        ]
        return b"\r\n".join([*lines, b"", body])


def unreadable() -> Refused:
    """Of what is no HTTP, or HTTP that two readers could take for different requests."""
    return Refused(
        HTTPStatus.BAD_REQUEST,
        "this is no HTTP/1.1 request: send one request line, one Host, and one Content-Length or "
        "chunks, as RFC 9112 has them",
    )


def head_too_large(max_bytes: int, max_headers: int) -> Refused:
    """Of a head over a limit."""
    return Refused(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"the request's head has more than {max_bytes} bytes (LATENTD_MAX_HEADER_BYTES) or "
        f"{max_headers} headers; send data in the body",
    )


def head_too_late(seconds: float) -> Refused:
    """Of a head that does not come to its end."""
    return Refused(
        HTTPStatus.REQUEST_TIMEOUT,
        f"the request's head took longer than {seconds:g} s (LATENTD_HEADER_TIMEOUT_S); send it "
        "at once",
    )


def too_many_connections() -> Refused:
    """Of a connection beyond those that are served."""
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too many connections are open here, or from this address (LATENTD_MAX_CONNECTIONS, "
        "LATENTD_MAX_CONNECTIONS_PER_ADDRESS): ask again in a moment, over fewer of them",
    )


def no_tunnel() -> Refused:
    """Of CONNECT."""
    return Refused(HTTPStatus.NOT_IMPLEMENTED, "this is no proxy: CONNECT is not taken")


def other_version() -> Refused:
    """Of HTTP/0.9 and HTTP/2.0 in HTTP/1.1's clothes."""
    return Refused(
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "this service speaks HTTP/1.1 and HTTP/1.0"
    )


def other_coding() -> Refused:
    """Of a transfer coding beside chunks."""
    return Refused(
        HTTPStatus.NOT_IMPLEMENTED,
        "of transfer codings only chunked is taken; say what is compressed in Content-Encoding",
    )
