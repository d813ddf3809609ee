"""The files of a form (multipart/form-data, RFC 7578), out of a body that is all there.

In memory alone: Starlette's reader puts larger ones onto a disk, which may be full or read-only,
and reads every part's head on the event loop.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import BadBody

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# What a page sends with its files; none of it is read.
MAX_FIELDS = 16
# Python takes a header apart in time that grows with the square of its length.
LONGEST_TYPE = 2048
LONGEST_HEADER = 2048
# What a part takes beside its bytes, in the time of as many.
PART_BYTES = 8192


def form_effort(body: bytes) -> int:
    """What to read a form takes at most, in the time of as many bytes of pixels."""
    return (len(body) >> 4) + PART_BYTES * body.count(b"\r\n\r\n")


def read_form(
    body: bytes, content_type: bytes, field: bytes, check_count: Callable[[int], None]
) -> list[bytes]:
    """The files in the fields of that name. BadBody where it is no form, or has none or no end.

    `check_count` is told of each file how many there are with it, and may raise.
    """
    if len(content_type) > LONGEST_TYPE:
        raise _unreadable(f"its Content-Type has more than {LONGEST_TYPE} bytes", field)
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if boundary is None:
        raise _unreadable("Missing boundary in multipart", field)
    reader = _Reader(field, check_count)
    try:
        parser = MultipartParser(boundary, reader.callbacks(), max_header_size=LONGEST_HEADER)
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise _unreadable("Invalid multipart data", field) from None
    if not reader.ended:
        raise BadBody("the form was cut off, its closing boundary is missing: send it whole")
    if not reader.files:
        raise BadBody(f"the form has no file in a field called {field.decode()}")
    return [b"".join(pieces) for pieces in reader.files]


class _Reader:
    """Keeps the files of one field as they come; of other parts only how many there are."""

    def __init__(self, field: bytes, check_count: Callable[[int], None]) -> None:
        self.files: list[list[bytes]] = []
        self.ended = False
        self._field = field
        self._check_count = check_count
        self._num_files = self._num_fields = 0
        self._name = self._value = self._disposition = b""
        self._kept: list[bytes] | None = None  # of the part that is being read

    def callbacks(self) -> "MultipartCallbacks":
        """What the parser calls."""
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._name = self._value = self._disposition = b""
        self._kept = None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if b"name" not in options:
            raise _unreadable(
                'The Content-Disposition header field "name" must be provided', self._field
            )
        if b"filename" not in options:
            self._num_fields += 1
            if self._num_fields > MAX_FIELDS:
                raise _unreadable(
                    f"Too many fields, of which there may be {MAX_FIELDS}", self._field
                )
            return
        self._num_files += 1
        self._check_count(self._num_files)
        if options[b"name"] == self._field:
            self._kept = []
            self.files.append(self._kept)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._kept is not None:
            self._kept.append(data[start:end])

    def _end(self) -> None:
        """The closing boundary, which anything may follow (RFC 2046, section 5.1.1)."""
        self.ended = True


def _unreadable(why: str, field: bytes) -> BadBody:
    return BadBody(
        f"the form cannot be read ({why}): send multipart/form-data with its boundary in the "
        f"header, each image a file in a field called {field.decode()}"
    )
