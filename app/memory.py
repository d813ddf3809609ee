"""What was found for one question, kept for when it is asked again."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

# Questions of more bytes are not worth keeping, so that what is kept takes little memory.
MEMORABLE = 512


class Memory(dict[K, V]):
    """A dictionary of at most `most` entries: what was kept first is forgotten first."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: K, value: V, num_bytes: int) -> V:
        """Remember `value`, unless its question, of `num_bytes`, is too long; gives it back."""
        if num_bytes <= MEMORABLE:
            if len(self) >= self._most:
                self.pop(next(iter(self)), None)
            self[key] = value
        return value
