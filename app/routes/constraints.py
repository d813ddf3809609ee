"""What pydantic cannot say of a value by itself: a name in a registry, a list not too long."""

from collections.abc import Collection

from pydantic import AfterValidator, BeforeValidator, FailFast, Field, ValidationInfo
from pydantic.fields import FieldInfo

from app.service import Limits


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
