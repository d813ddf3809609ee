"""One account of the bytes that this process holds for its clients: bodies on their way to an
answer, and answers that their clients have not taken yet.
"""

from app.errors import Overloaded

# Whoever is refused may find room as soon as one of the others is answered.
RETRY_SECONDS = 1.0


class InFlight:
    """Bytes held, of which at most `most` are to be."""

    __slots__ = ("held", "most")

    def __init__(self, most: int) -> None:
        self.held = 0
        self.most = most

    def check(self) -> None:
        """Raise Overloaded where there are too many: new ones wait until some are gone."""
        if self.held > self.most:
            raise Overloaded(
                f"{self.held} bytes of other requests and answers are on their way; at most "
                f"{self.most} are to be (LATENTD_MAX_BYTES_IN_FLIGHT): ask again in a moment",
                RETRY_SECONDS,
            )
