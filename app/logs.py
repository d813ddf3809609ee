"""How the service logs: lines of text for people, or a JSON object a line for collectors.

All of it goes to stderr through the root logger, uvicorn's lines and Python's warnings included.
"""

import logging
import sys
from datetime import UTC, datetime

import orjson

from app.settings import Settings

LINE = "%(asctime)s %(levelname)s %(message)s"
# Several workers write to one log.
WORKERS_LINE = "%(asctime)s %(levelname)s [%(process)d] %(message)s"

# What a record may carry beside its message, given as `extra=`.
FIELDS = ("request_id", "method", "route", "status", "seconds", "model")

access = logging.getLogger("latentd.access")


def set_up(settings: Settings) -> None:
    """Let this process log as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    line = WORKERS_LINE if settings.workers > 1 else LINE
    as_json = settings.log_format == "json"
    handler.setFormatter(JsonLines() if as_json else logging.Formatter(line))
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
