"""The code of docs/frontend.md runs on a page of another origin, where the setting lets it."""

import re

import httpx
from playwright.sync_api import Browser

from tests.architecture.sources import ROOT
from tests.explorer.other_origin import Origin, serving

(CODE,) = re.findall(
    r"^```js\n(.*?)^```$", (ROOT / "docs" / "frontend.md").read_text(), re.M | re.S
)
FRAMES = "Array.from(document.images, (image) => image.src.split(',')[1])"


def page_with(code: str) -> bytes:
    return f'<!doctype html><title>Front</title><script type="module">{code}</script>'.encode()


def test_a_listed_origin_walks(browser: Browser, front: Origin, client: httpx.Client) -> None:
    service = str(client.base_url).rstrip("/")
    front.pages["/"] = page_with(CODE.replace("http://localhost:8000", service))
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(front.url)
    page.locator("img").nth(7).wait_for()
    expected = client.get("/interpolate?seed=1&seed=2&steps=8&format=json").json()["images"]
    assert page.evaluate(FRAMES) == expected
    assert "drawn by mnist@3" in said
    page.close()


def test_any_other_origin_is_refused(browser: Browser, client: httpx.Client) -> None:
    service = str(client.base_url).rstrip("/")
    with serving() as stranger:
        stranger.pages["/"] = page_with(CODE.replace("http://localhost:8000", service))
        page = browser.new_page()
        with (
            page.expect_event("pageerror") as error,
            page.expect_console_message(lambda said: "blocked by CORS policy" in said.text),
        ):
            page.goto(stranger.url)
        assert str(error.value) == "Failed to fetch"
        assert page.locator("img").count() == 0
        page.close()
