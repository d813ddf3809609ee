"""Every setting of the service, its default and its limits; the only reader of the environment.

Each one is an environment variable `LATENTD_<NAME>` and a flag of `python -m app serve`; all of
them are described in docs/settings.md.
"""

import os
import re
from difflib import get_close_matches
from ipaddress import ip_network
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

# No byte, row or second of anything that this serves is beyond.
MOST_BYTES = 2**40
MOST_ROWS = 2**31
DAY_SECONDS = 86_400
# What Kubernetes (and Docker's links) put into LATENTD_PORT for a service that is named latentd.
SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")
LINK_NAMES = re.compile(PREFIX + r"(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")

Seconds = Annotated[float, Field(gt=0, le=DAY_SECONDS)]
Bytes = Annotated[int, Field(ge=1, le=MOST_BYTES)]
Count = Annotated[int, Field(ge=1, le=MOST_ROWS)]
# Comma-separated in the environment, not JSON.
Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """What the operator decides. Frozen: a running service does not change its settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
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
        le=1000,
        description="a model whose batches take at most so many milliseconds on a CPU is run by "
        "the event loop's own thread",
    )
    max_queue_rows: Count = Field(
        16384, description="rows that may wait for the device before requests get 503"
    )
    max_queue_bytes: Bytes = Field(
        1_073_741_824,
        description="bytes of memory that requests in flight may hold, from their numbers to their "
        "pixels, likewise; one of them seven eighths of it",
    )
    request_timeout_s: Seconds = Field(
        30.0, description="seconds until a request's answer is made before it gets 504"
    )
    device_timeout_s: Seconds = Field(
        60.0, description="seconds a batch may take before the device counts as lost"
    )
    max_rows: Count = Field(4096, description="most rows (images, latents) in one request")
    max_streamed_rows: Count = Field(
        1_000_000, description="the same of samples in a form that is streamed"
    )
    max_steps: int = Field(1024, ge=2, le=MOST_ROWS, description="most frames of one interpolation")
    max_points: int = Field(
        64, ge=2, le=MOST_ROWS, description="most points of a walk, or terms of a sum"
    )
    max_draws: Count = Field(16384, description="most posterior draws of one score: rows times k")
    max_json_values: Count = Field(
        1_048_576, description="most values (numbers, texts, lists, objects) of a JSON body"
    )
    max_pixels: Count = Field(
        16_777_216,
        description="most pixels of one drawn answer, after scaling, and of a request's images",
    )
    render_threads: int = Field(
        2,
        ge=1,
        le=256,
        description="threads that draw pictures which take tens of milliseconds, and as many for "
        "those which take longer",
    )
    max_body_bytes: Bytes = Field(33_554_432, description="largest request body in bytes")
    cache_bytes: int = Field(
        67_108_864,
        ge=0,
        le=MOST_BYTES,
        description="memory for answers to seeded GETs; 0 keeps none",
    )
    cache_seconds: int = Field(
        60,
        ge=0,
        le=31_536_000,
        description="how long caches may keep a seeded answer of a model named without a version; "
        "with a version they may keep it for a year",
    )
    cors_origins: Names = Field(
        (), description="origins whose pages may call the service, comma-separated; * for any"
    )
    allowed_hosts: Names = Field(
        (),
        description="names that the service is asked by (the Host header), comma-separated, "
        "*.example.org for all below one; empty takes any",
    )
    root_path: str = Field(
        "",
        pattern=r"^((/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+)?$",
        description="path that the service stands below on its proxy, as /vae",
    )
    trusted_proxies: Names = Field(
        (),
        description="addresses or networks of proxies, comma-separated, whose X-Forwarded-Prefix "
        "is believed and whose connections are not counted by address",
    )
    workers: int = Field(
        1, ge=1, le=256, description="processes that share the port; more than 1 on a CPU alone"
    )
    start_timeout_s: Seconds = Field(
        600.0,
        description="seconds within which every model must be loaded before the start counts as "
        "failed",
    )
    worker_timeout_s: float = Field(
        30.0,
        ge=3,
        le=DAY_SECONDS,
        description="seconds that one of several workers may be silent before it is replaced",
    )
    drain_delay_s: float = Field(
        0.0,
        ge=0,
        le=DAY_SECONDS,
        description="seconds to answer on after SIGTERM has ended readiness",
    )
    header_timeout_s: Seconds = Field(
        10.0, description="seconds within which a request's head must have arrived"
    )
    max_header_bytes: int = Field(
        65_536,
        ge=1024,
        le=2**24,
        description="largest head (request line and headers) of a request",
    )
    keep_alive_s: Seconds = Field(
        5.0, description="seconds that a connection stays open between two requests"
    )
    body_timeout_s: Seconds = Field(
        300.0, description="seconds within which a request's body must have arrived"
    )
    stall_timeout_s: Seconds = Field(
        15.0, description="seconds over which the least rate is measured"
    )
    least_bytes_per_s: Bytes = Field(
        512, description="bytes a second that a body is sent, and an answer read, with at least"
    )
    max_bytes_in_flight: Bytes = Field(
        268_435_456,
        description="bytes of bodies that arrive and of answers that are not read yet, beyond "
        "which requests get 503",
    )
    max_connections: Count = Field(
        1000, description="connections that are open at once; beyond, they get 503"
    )
    max_connections_per_address: Count = Field(
        900, description="the same of one address that is no trusted proxy"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level of what is logged"
    )
    log_format: Literal["text", "json"] = Field("text", description="how a line is logged")
    access_log: bool = Field(default=False, description="log every request")

    @field_validator("port", mode="before")
    @classmethod
    def _no_service_link(cls, value: object) -> object:
        linked = isinstance(value, str) and SERVICE_LINK.match(value)
        return cls.model_fields["port"].default if linked else value

    @field_validator("models", "cors_origins", "allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            ip_network(part)  # raises ValueError, which says what is wrong with it
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
                + _range(cls, str(part["loc"][0]))
                for part in error.errors()
            ]
            raise SettingsError("\n".join(lines)) from None


def _range(settings: type[Settings], name: str) -> str:
    """What a setting that is a number takes, in words."""
    field = settings.model_fields.get(name)
    limits: dict[str, float] = {}
    for each in field.metadata if field else ():
        limits |= {key: getattr(each, key) for key in ("ge", "gt", "le") if hasattr(each, key)}
    if "le" not in limits:
        return ""
    least = f"from {limits['ge']}" if "ge" in limits else f"above {limits['gt']}"
    return f"; it takes a number {least} to {limits['le']}"


def unknown_variables() -> list[str]:
    """A line on each `LATENTD_*` variable that is not read, or not as it stands.

    Most are slips of the pen. They warn rather than refuse, for Kubernetes sets some by itself.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    lines = []
    links = []
    for name in sorted(os.environ):
        if LINK_NAMES.fullmatch(name) or (
            name == PREFIX + "PORT" and SERVICE_LINK.match(os.environ[name])
        ):
            links.append(name)
        elif name.startswith(PREFIX) and name not in known | STORE_VARIABLES:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            lines.append(f"{name} is set, but there is no such setting{hint}")
    if links:
        lines.append(
            f"{', '.join(links)}: set by Kubernetes for a Service named latentd, and ignored; "
            "set LATENTD_PORT in the pod, or enableServiceLinks: false"
        )
    return lines
