"""`/health`, called on running services."""

import anyio
import httpx

from app.main import create_app
from app.settings import Settings


def test_health_is_live_and_ready(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json()["status"] == "ready"


def test_before_it_is_loaded_it_is_live_but_not_ready() -> None:
    # The transport runs no lifespan, so nothing is loaded.
    transport = httpx.ASGITransport(create_app(Settings()))

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/health/live"), await client.get("/health/ready")

    live, ready = anyio.run(ask)
    assert live.status_code == 200
    assert ready.status_code == 503
    assert ready.headers["Retry-After"] == "1"
