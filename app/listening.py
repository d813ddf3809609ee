"""The addresses that the service listens on, as sockets and in words, and where to ask it."""

import errno
import socket
from typing import NamedTuple

# An address of a kind that this machine, or this container, has none of.
NOT_HERE = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
ANY_IPV4, ANY_IPV6 = "0.0.0.0", "::"
# What stands for an address of IPv6 where there is no IPv6.
SAME_OF_IPV4 = {ANY_IPV6: ANY_IPV4, "::1": "127.0.0.1"}
# Where to ask what listens there.
TO_ASK = {
    ANY_IPV4: ("127.0.0.1",),
    ANY_IPV6: ("::1", "127.0.0.1"),
    "::1": ("::1", "127.0.0.1"),
}


class Address(NamedTuple):
    """One address of a host, as the socket module has it."""

    family: socket.AddressFamily
    place: tuple[str | int, ...]  # the address, and for IPv6 what follows the port


def bind(host: str, port: int, *, shared: bool) -> list[socket.socket]:
    """A socket for each address of `host`, bound and not yet listening; port 0 takes a free one.

    `::` stands for every address, of IPv4 too; without IPv6 it is those alone, and `::1` the
    loopback of IPv4. Of a name's addresses those that are not here are left out, as long as one
    remains. With `shared` other processes
    may bind and listen there too, and the kernel deals new connections out among those that listen
    (SO_REUSEPORT). Raises OSError naming the address.
    """
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    for address in _addresses(host):
        try:
            sockets.append(_bound(address, port, shared=shared))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            said = OSError(error.errno, f"{address.place[0]} port {port}: {reason}")
            if error.errno not in NOT_HERE:
                close(sockets)
                raise said from None
            missing = said
            continue
        port = port_of(sockets[-1])
    if sockets or missing is None:
        return sockets
    if (number := _number(host)) in SAME_OF_IPV4:
        return bind(SAME_OF_IPV4[number], port, shared=shared)
    raise missing


def _addresses(host: str) -> list[Address]:
    """The addresses of a name or a number, which may stand in brackets as in a URL."""
    try:
        found = socket.getaddrinfo(
            _number(host), 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a name"
        raise OSError(
            errno.EADDRNOTAVAIL, f"LATENTD_HOST={host}: there is no such address ({reason})"
        ) from None
    addresses = [Address(family, (place[0], *place[2:])) for family, _, _, _, place in found]
    return list(dict.fromkeys(addresses))


def _number(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")


def _bound(address: Address, port: int, *, shared: bool) -> socket.socket:
    host, *rest = address.place
    bound = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != ANY_IPV6))
        bound.bind((host, port, *rest))
    except OSError:
        bound.close()
        raise
    return bound


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
    return _url(bound.getsockname()[0], port_of(bound))


def urls_to_ask(host: str, port: int) -> list[str]:
    """Where a service that was told to listen on `host` answers on this machine: try each."""
    number = _number(host)
    return [_url(each, port) for each in TO_ASK.get(number, (number,))]


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
