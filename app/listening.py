"""The addresses that the service listens on, as sockets and in words."""

import socket


def bind(host: str, port: int, *, shared: bool) -> list[socket.socket]:
    """A socket for each address of `host`, bound and not yet listening; port 0 takes a free one.

    With `shared` other processes may bind and listen there too, and the kernel deals new
    connections out among those that listen (SO_REUSEPORT). Raises OSError naming the address.
    """
    sockets: list[socket.socket] = []
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in dict.fromkeys(found):
        bound = socket.socket(family, kind, protocol)
        sockets.append(bound)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            bound.bind((address[0], port, *address[2:]))
        except OSError as error:
            close(sockets)
            reason = (error.strerror or str(error)).lower()
            raise OSError(error.errno, f"{address[0]} port {port}: {reason}") from None
        port = port_of(bound)
    return sockets


def close(sockets: list[socket.socket]) -> None:
    """Give the addresses back."""
    for bound in sockets:
        bound.close()


def port_of(bound: socket.socket) -> int:
    """The port that a socket really has."""
    port: int = bound.getsockname()[1]
    return port


def url(bound: socket.socket) -> str:
    """Where a browser finds what listens on a socket."""
    host = bound.getsockname()[0]
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port_of(bound)}"
