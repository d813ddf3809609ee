"""`/`: the page on which one looks at a latent space.

Its files are read once, at the start. All else that it shows it asks the public endpoints for, as
any page could.
"""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, Request, Response

FOLDER = Path(__file__).parents[1] / "explorer"
FRONT = "index.html"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The page's own files and the service's answers, and nothing from anywhere else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def _answers(file: Path) -> Callable[[Request], Awaitable[Response]]:
    body = file.read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        # Kept, and asked for anew each time: after an update no old half meets a new one.
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY,
        "ETag": tag,
        "Referrer-Policy": "no-referrer",
    }

    async def answer(request: Request) -> Response:
        known = request.headers.get("if-none-match", "").split(",")
        if not {part.strip().removeprefix("W/") for part in known}.isdisjoint((tag, "*")):
            return Response(status_code=304, headers=headers)
        return Response(body, headers={**headers, "Content-Type": MEDIA_TYPES[file.suffix]})

    return answer


def _routes() -> APIRouter:
    made = APIRouter(include_in_schema=False)
    for file in sorted(FOLDER.iterdir()):
        if file.suffix in MEDIA_TYPES:
            path = "/" if file.name == FRONT else f"/explorer/{file.name}"
            made.add_api_route(path, _answers(file), methods=["GET"])
    return made


router = _routes()
