"""What one request may ask for."""

from dataclasses import dataclass

from app.errors import LimitExceeded


@dataclass(frozen=True)
class Limits:
    """What one request may ask for; each field is the setting LATENTD_<FIELD>."""

    max_rows: int
    max_streamed_rows: int
    max_steps: int
    max_points: int
    max_draws: int
    max_json_values: int

    def check(self, setting: str, given: int, what: str) -> None:
        """Raise LimitExceeded if `given` is more of `what` than the setting allows."""
        limit = getattr(self, setting)
        if given > limit:
            raise LimitExceeded(
                f"{given} {what}: one request may have at most {limit}; ask for fewer at a time, "
                f"or have the operator raise LATENTD_{setting.upper()}"
            )
