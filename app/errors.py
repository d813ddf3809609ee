"""What can go wrong between a request and its answer, drawn along the way it goes.

    bytes ──▶ routes ──▶ service ──▶ engine ──▶ service ──▶ formats ──▶ bytes
      BodyTooLarge, BodyTooSlow
      BadBody    ModelNotServed  Overloaded       (nothing of its own)   NotAcceptable
      UnsupportedBody  BadValue  DeadlinePassed
      UnsupportedCoding
      WrongHost
      NotAcceptable LimitExceeded  DeviceFailed, DeviceLost, NotFinite
                    NotInstalled, StoreUnreadable

Each is raised where it is found, as itself; `error_responses` alone knows HTTP. A message names the
value, the limit and the remedy, and never quotes a body. This module knows nothing of HTTP.
"""


class LatentdError(Exception):
    """The root of every error that the service raises on purpose."""


class SettingsError(LatentdError):
    """The service cannot start with these settings."""


class BadBody(LatentdError):
    """The body is not what its media type says: an image, `.npy`, a form. JSON is validated."""


class BodyTooLarge(LatentdError):
    """The body is larger than this service is set to read."""


class BodyTooSlow(LatentdError):
    """The body does not arrive at the least pace, or in time."""


class UnsupportedBody(LatentdError):
    """The body's media type is none that the endpoint reads."""


class UnsupportedCoding(LatentdError):
    """The body is compressed in a way that is not unpacked here."""


class WrongHost(LatentdError):
    """The request is for a host that this service is not."""


class NotAcceptable(LatentdError):
    """The asked form of the answer does not exist for this model."""


class NotInstalled(LatentdError):
    """What was asked for needs a package that is not installed here."""


class BadValue(LatentdError):
    """A value parses but cannot be used: the wrong shape, not a finite number, out of range."""


class LimitExceeded(LatentdError):
    """More was asked for than this service is set to give in one request."""


class ModelNotServed(LatentdError):
    """No loaded model answers to this reference."""


class Overloaded(LatentdError):
    """The queue before the device is full.

    `retry_after` is the time in seconds that the rows now waiting need at the recent rate.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlinePassed(LatentdError):
    """The request waited longer than it may; it was dropped before it reached the device."""


class DeviceFailed(LatentdError):
    """The device could not run this request's rows."""


class DeviceLost(LatentdError):
    """The device runs nothing any more, or does not return; the process is about to end."""


class StoreUnreadable(LatentdError):
    """The store does not hold what was published in it, or not as it was published."""


class NotFinite(LatentdError):
    """The model answered NaN or infinity, which is never written out."""


class ClientGone(LatentdError):
    """The client closed the connection before its answer was ready; nobody reads this."""
