"""What pydantic cannot say of a value by itself: a name in a registry, a list not too long."""

from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, FailFast, Field, ValidationInfo
from pydantic.fields import FieldInfo

from app.service import Limits


def _no_truth_value(value: object) -> object:
    """Refuse true and false, which pydantic would take for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


# Behind the bounds of a type that may be null: pydantic documents no bounds that stand behind it.
NUMBER = BeforeValidator(_no_truth_value)
Whole = Annotated[int, NUMBER]
Real = Annotated[float, NUMBER]
# `byte` is OpenAPI's word for base64.
ImageText = Annotated[str, Field(json_schema_extra={"format": "byte"})]


def one_of(what: str, names: Collection[str]) -> tuple[AfterValidator, FieldInfo]:
    """A name in a registry, to be listed where another is given."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"the {what} are {', '.join(names)}")
        return name

    return AfterValidator(check), Field(json_schema_extra={"enum": [*names]})


def at_most(setting: str, what: str) -> tuple[FailFast, BeforeValidator]:
    """A list of no more of `what` than the setting of that name allows.

    The validation's context is the Limits; without them no list is too long. The length is looked
    at before the items are, and the first bad item ends the list: thousands of faults take far
    longer to tell than to find. Raises LimitExceeded.
    """

    def check(given: object, info: ValidationInfo) -> object:
        limits: Limits | None = info.context
        if limits is not None and isinstance(given, list):
            limits.check(setting, len(given), what)
        return given

    return FailFast(), BeforeValidator(check)
