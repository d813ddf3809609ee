"""`/docs`: the OpenAPI document as a page to try things on, which needs no other host."""

import re
from base64 import b64encode
from hashlib import sha256

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

router = APIRouter(include_in_schema=False)

# Where fastapi_offline keeps the files of the page.
FILES = "/static-offline-docs"
SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
# Swagger UI styles its parts one by one, and shows what it was answered as an object of its own.
POLICY = (
    "default-src 'none'; script-src 'self' '{script}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The page; its links begin with the prefix that the service stands below."""
    root = request.scope.get("root_path", "")
    page = get_swagger_ui_html(
        openapi_url=f"{root}{request.app.openapi_url}",
        title=f"{request.app.title}: API",
        swagger_js_url=f"{root}{FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{FILES}/swagger-ui.css",
        swagger_favicon_url=f"{root}/explorer/icon.svg",
        # Else it has another host look at the document.
        swagger_ui_parameters={"validatorUrl": None},
    )
    found = SCRIPT.search(bytes(page.body))
    assert found is not None
    digest = b64encode(sha256(found[1]).digest()).decode()
    page.headers["Content-Security-Policy"] = POLICY.format(script=f"sha256-{digest}")
    return page
