"""For which hosts the service answers, where that is said: a page whose name was bound to this
address anew (DNS rebinding) asks for its own.
"""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from app.error_responses import tell
from app.errors import WrongHost

# Orchestrators ask by address, and learn nothing there.
ALWAYS = "/health/"


class Hosts:
    """Names, each as it is or `*.name` for all below it; none lets every one pass."""

    def __init__(self, names: Sequence[str]) -> None:
        lower = [name.lower() for name in names]
        self._any = not lower or "*" in lower
        self._names = frozenset(lower)
        self._ends = tuple(name[1:] for name in lower if name.startswith("*."))

    def __bool__(self) -> bool:
        """Whether there is anything to check."""
        return not self._any

    def check(self, scope: Scope) -> None:
        """Raise WrongHost for a request that is for another one."""
        if scope["path"].removeprefix(scope.get("root_path", "")).startswith(ALWAYS):
            return
        given = next((value for name, value in scope["headers"] if name == b"host"), b"")
        host = _without_port(given.decode("latin-1").lower())
        if host not in self._names and not (self._ends and host.endswith(self._ends)):
            raise WrongHost(
                f"the request is for the host {host[:80]!r}, which is none of LATENTD_ALLOWED_HOSTS"
            )


class HostCheck:
    """An ASGI layer that passes on none but those hosts' requests."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or answer a problem."""
        if scope["type"] == "http":
            try:
                self._hosts.check(scope)
            except WrongHost as error:
                status, headers, body = tell(scope, error)
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                return
        await self._app(scope, receive, send)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
