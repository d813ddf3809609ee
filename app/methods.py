"""Requests in other forms than routes are declared in: HEAD, OPTIONS, a trailing slash, a prefix.

HEAD is answered like GET, and its server leaves the body out; a path with a slash at its end like
the one without. So no answer ever sends a client somewhere else, which would take its host from the
request.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from fastapi import FastAPI
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

# In a scope that was made of a HEAD's: whoever would make a body in parts need not.
HEAD = "latentd.head"
# Written into pages: nothing in it ends an attribute, and it is no other host's address.
PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,16}")
LONGEST_PREFIX = 256


class Proxies:
    """Addresses that are believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ip_network(network) for network in networks]

    def trusted(self, address: str) -> bool:
        """Whether it is one of theirs."""
        try:
            given = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(given, "ipv4_mapped", None) or given
        return any(mapped in network for network in self._networks)


class Forms:
    """Brings requests into the form that routes have."""

    def __init__(self, root_path: str, proxies: Proxies) -> None:
        """`root_path` is the service's on its proxy, which may leave it in the path or not."""
        self._root_path = root_path
        self._proxies = proxies

    def plain(self, scope: Scope) -> Scope:
        """The same question as a GET below no prefix and without a slash at its end."""
        changed: dict[str, object] = {}
        if scope["method"] == "HEAD":
            changed |= {"method": "GET", HEAD: True}
        path, root = scope["path"], self._root_path
        if root and path.startswith(root + "/"):
            path = path[len(root) :]
        if "\n" in path:
            path = path.replace("\n", "%0A")  # where Starlette's patterns end, too
        path = without_slash(path, scope.get("root_path", ""))
        if path != scope["path"]:
            changed["path"] = path
        return {**scope, **changed} if changed else scope

    def below_prefix(self, scope: Scope) -> Scope:
        """A plain form whose scope says where the service stands, for what answers with links."""
        root = self._prefix(scope)
        if not root:
            return scope
        return {**scope, "root_path": root, "path": root + scope["path"]}

    def _prefix(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == b"x-forwarded-prefix":
                given = value.decode("latin-1").rstrip("/")
                client = scope.get("client")
                if client and self._proxies.trusted(client[0]) and legal_prefix(given):
                    return str(given)
        return self._root_path


def legal_prefix(prefix: str) -> bool:
    """Whether a prefix is a path and nothing else."""
    return len(prefix) <= LONGEST_PREFIX and PREFIX.fullmatch(prefix) is not None


def without_slash(path: str, root_path: str) -> str:
    """A path without the slash at its end, unless that is all of it."""
    if not path.endswith("/") or path.endswith("//") or path in ("/", root_path + "/"):
        return path
    return path[:-1]


def allow_header(scope: Scope) -> tuple[bytes, bytes]:
    """What a path takes, as the header says it."""
    return b"allow", ", ".join(allowed(scope)).encode()


def allowed(scope: Scope) -> list[str]:
    """The methods that a path takes; none where there is nothing."""
    if scope["path"] == "*":  # of the whole service
        return ["GET", "HEAD", "POST", "OPTIONS"]
    methods = [method for method in ("GET", "POST") if _takes(scope, method)]
    if "GET" in methods:
        methods.insert(1, "HEAD")
    return [*methods, "OPTIONS"] if methods else []


def _takes(scope: Scope, method: str) -> bool:
    app: FastAPI = scope["app"]
    asked = {**scope, "method": method}
    for route in app.router.routes:
        if route.matches(asked)[0] is Match.FULL:
            return method == "GET" or not isinstance(route, Mount)
    return False


class Options:
    """An ASGI layer that answers OPTIONS: 204, and `Allow`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, where there is something at the path."""
        if scope["type"] != "http" or scope["method"] != "OPTIONS" or not allowed(scope):
            await self._app(scope, receive, send)
            return
        headers = [allow_header(scope)]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
