"""Every setting of the service, its default and its limits; the only reader of the environment.

Each one is an environment variable `LATENTD_<NAME>` and a flag of `python -m app serve`; all of
them are described in docs/settings.md.
"""

import os
from difflib import get_close_matches
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.errors import SettingsError

PREFIX = "LATENTD_"
# Read by model_store, not here.
STORE_VARIABLES = frozenset(
    PREFIX + name
    for name in ("EXTRA_OPERATORS", "RECEIPTS", "VERIFY_MEMORY_BYTES", "VERIFY_TIMEOUT_S")
)

# For answers that are computed and being sent, beyond LATENTD_REQUEST_TIMEOUT_S.
SENDING_SECONDS = 5

# Comma-separated in the environment, not JSON.
Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """What the operator decides. Frozen: a running service does not change its settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    store: Path | None = Field(
        None,
        description="folder that checkpoints are published in; model_store/published in the "
        "checkout where absent",
    )
    models: Names = Field(
        (),
        description="models to serve, as name or name@version, comma-separated; the first is the "
        "default one; empty serves the latest version of every name, `mnist` first",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="auto (CUDA where there is one, else CPU), cpu, cuda or cuda:N",
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="what encoders and decoders compute in; answers stay float32"
    )
    torch_threads: int = Field(
        1, ge=1, le=256, description="threads that one operation on the CPU may use"
    )
    max_batch_rows: int = Field(
        64, ge=1, le=4096, description="most rows that the device is given at once"
    )
    loop_batch_ms: float = Field(
        2.0,
        ge=0,
        description="a model whose batches take at most so many milliseconds on a CPU is run by "
        "the event loop's own thread",
    )
    max_queue_rows: int = Field(
        16384, ge=1, description="rows that may wait for the device before requests get 503"
    )
    max_queue_bytes: int = Field(
        536_870_912, ge=1, description="bytes that they and their answers may take, likewise"
    )
    request_timeout_s: float = Field(
        30.0, gt=0, description="seconds a request may wait for the device before it gets 504"
    )
    device_timeout_s: float = Field(
        60.0, gt=0, description="seconds a batch may take before the device counts as lost"
    )
    max_rows: int = Field(4096, ge=1, description="most rows (images, latents) in one request")
    max_streamed_rows: int = Field(
        1_000_000, ge=1, description="the same of samples in a form that is streamed"
    )
    max_steps: int = Field(1024, ge=2, description="most frames of one interpolation")
    max_points: int = Field(64, ge=2, description="most points of a walk, or terms of a sum")
    max_draws: int = Field(
        16384, ge=1, description="most posterior draws of one score: rows times k"
    )
    max_pixels: int = Field(
        16_777_216, ge=1, description="most pixels of one drawn answer, after scaling"
    )
    max_body_bytes: int = Field(33_554_432, ge=1, description="largest request body in bytes")
    cache_bytes: int = Field(
        67_108_864, ge=0, description="memory for answers to seeded GETs; 0 keeps none"
    )
    cache_seconds: int = Field(
        60,
        ge=0,
        description="how long caches may keep a seeded answer of a model named without a version; "
        "with a version they may keep it for a year",
    )
    cors_origins: Names = Field(
        (), description="origins whose pages may call the service, comma-separated; * for any"
    )
    workers: int = Field(
        1, ge=1, le=256, description="processes that share the port; more than 1 on a CPU alone"
    )
    drain_delay_s: float = Field(
        0.0, ge=0, description="seconds to answer on after SIGTERM has ended readiness"
    )
    header_timeout_s: float = Field(
        10.0, gt=0, description="seconds within which a request's head must have arrived"
    )
    max_header_bytes: int = Field(
        65_536, ge=1024, description="largest head (request line and headers) of a request"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level of what is logged"
    )
    log_format: Literal["text", "json"] = Field("text", description="how a line is logged")
    access_log: bool = Field(default=False, description="log every request")

    @field_validator("models", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def shutdown_seconds(self) -> int:
        """The most that answers in progress may take once no new ones are accepted."""
        return ceil(self.request_timeout_s) + SENDING_SECONDS

    @classmethod
    def read(cls, **given: Any) -> Self:  # noqa: ANN401 - any setting, of its own type
        """The settings that hold: `given` over the environment over the defaults.

        Raises SettingsError naming the variable, what it was set to and what it takes.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            lines = [
                f"{PREFIX}{str(part['loc'][0]).upper()}={part['input']}: {part['msg']}"
                for part in error.errors()
            ]
            raise SettingsError("\n".join(lines)) from None


def unknown_variables() -> list[str]:
    """A line on each `LATENTD_*` variable that no setting reads: most are slips of the pen.

    They warn rather than refuse: Kubernetes sets such variables for a service named latentd.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    lines = []
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known | STORE_VARIABLES:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            lines.append(f"{name} is set, but there is no such setting{hint}")
    return lines
