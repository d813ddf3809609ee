"""Name what this server and this application tell each other beyond ASGI: a message and words.

Both work without the other: the application asks whether the message is offered, and a server that
does not know the words leaves them unsaid.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

WHOLE_RESPONSE: Final = "latentd.response"
"""The type of a message for a response that is all there: with `status`, `headers` and `body`."""

OFFER: Final[Mapping[str, Mapping[object, object]]] = MappingProxyType(
    {WHOLE_RESPONSE: MappingProxyType({})}
)
"""`scope["extensions"]`; one for all requests, so that none writes to it."""

# In `scope["state"]`:
CANCEL_ON_LEAVING: Final = "cancel_on_leaving"
"""The application's: cancel the task of this request when its client leaves."""
CLIENT_LEFT: Final = "client_left"
"""The server's: why it was cancelled."""
BODY_FAILED: Final = "body_failed"
"""The server's: why the body does not come to its end though its client is still there."""

# Its values:
LATE: Final = "late"
BROKEN: Final = "broken"
