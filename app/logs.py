"""How the service logs: lines of text for people, or a JSON object a line for collectors.

All of it goes to stderr through the root logger, uvicorn's lines and Python's warnings included.
"""

import logging
import re
import sys
from datetime import UTC, datetime

import orjson

from app.settings import Settings

LINE = "%(asctime)s %(levelname)s %(message)s"
# Several workers write to one log.
WORKERS_LINE = "%(asctime)s %(levelname)s [%(process)d] %(message)s"

# What a record may carry beside its message, given as `extra=`.
FIELDS = ("request_id", "method", "route", "status", "seconds", "model")

# What would end a line, or move a terminal's cursor: all control characters, and what else some
# readers of lines take for their ends.
CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

access = logging.getLogger("latentd.access")


def set_up(settings: Settings) -> None:
    """Let this process log as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    line = WORKERS_LINE if settings.workers > 1 else LINE
    as_json = settings.log_format == "json"
    handler.setFormatter(JsonLines() if as_json else TextLines(line))
    # A log that nobody reads any more (a closed pipe, a full disk) is no reason to say so there.
    logging.raiseExceptions = False
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # To log requests is a decision of its own: the level does not hide them.
    access.setLevel(logging.INFO if settings.access_log else logging.CRITICAL)
    # Its own lines repeat ours; what goes wrong in it is still said.
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.setLevel(logging.WARNING)
    uvicorn.addFilter(_says_more_than_the_line_before)
    # It warns of every malformed form, which its sender is told of already.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def _says_more_than_the_line_before(record: logging.LogRecord) -> bool:
    return record.msg != "Application startup failed. Exiting."


def logs_requests() -> bool:
    """Whether requests are logged: to ask costs less than to make a line in vain."""
    return access.isEnabledFor(logging.INFO)


def log_request(
    method: str,
    route: str,
    status: int,
    seconds: float,
    request_id: str,
    model: str | None = None,
) -> None:
    """One line on an answered request; `route` is the template, for a path may hold anything."""
    access.info(
        "%s %s %d %.1f ms %s%s",
        method,
        route,
        status,
        1000 * seconds,
        request_id,
        f" {model}" if model else "",
        extra={
            "method": method,
            "route": route,
            "status": status,
            "seconds": round(seconds, 6),
            "request_id": request_id,
            "model": model,
        },
    )


class TextLines(logging.Formatter):
    """A record as one line, whatever was logged; a traceback's lines follow, each indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback where there is one."""
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [_escaped(self.formatMessage(record))]
        if record.exc_info:
            traceback = self.formatException(record.exc_info)
            lines += ["  " + _escaped(line) for line in traceback.split("\n")]
        return "\n".join(lines)


def _escaped(text: str) -> str:
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


class JsonLines(logging.Formatter):
    """A record as one JSON object: time, level, process, message and what it has of FIELDS."""

    def format(self, record: logging.LogRecord) -> str:
        """The object as text; a traceback stands in `exception`."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": record.process,
            "message": record.getMessage(),
        }
        for field in FIELDS:
            value = getattr(record, field, None)
            if value is not None:
                line[field] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps({key: _writable(value) for key, value in line.items()}).decode()


def _writable(value: object) -> object:
    """`value`, as orjson takes it: a file's name may hold bytes that are no text."""
    if value is None or isinstance(value, int | float):
        return value
    return str(value).encode(errors="backslashreplace").decode()
