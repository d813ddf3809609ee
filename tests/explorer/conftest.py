"""One service, one browser and one window for all tests of the page."""

import re
import shutil
from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    sync_playwright,
)

from benchmarks.page import CHROMIUM, chromium
from model_store import Figure
from tests.app.odd_models import images, publish_odd
from tests.app.processes import until
from tests.architecture.sources import ROOT
from tests.explorer.other_origin import Origin, serving
from tests.factories import draft, eager, publish_kind, publish_module
from tests.serving import running

Pixels = NDArray[np.uint8]

# What a canvas shows, or what an image does: width, height and RGBA.
READ = """node => {
  const canvas = document.createElement("canvas");
  canvas.width = node.naturalWidth ?? node.width;
  canvas.height = node.naturalHeight ?? node.height;
  const context = canvas.getContext("2d");
  context.drawImage(node, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const text = data.reduce((all, level) => all + String.fromCharCode(level), "");
  return [canvas.width, canvas.height, btoa(text)];
}"""
# Another view in the same window; what is there until then is marked.
GO = """view => {
  for (const section of document.querySelectorAll("section")) section.classList.add("old");
  location.hash = view;
}"""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The machine's browser; without one the tests are skipped, saying so."""
    path = chromium()
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(CHROMIUM)} is on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def front(browser: Browser) -> Iterator[Origin]:  # noqa: ARG001 - skipped where there is none
    """Another origin, whose pages may call the service."""
    with serving() as origin:
        yield origin


@pytest.fixture(scope="package")
def client(front: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The bundled model, colour ones with a latent map and of another shape, and one of rows."""
    store = tmp_path_factory.mktemp("explored") / "store"
    bundled = ROOT / "model_store" / "published" / "mnist" / "3"
    shutil.copytree(bundled, store / "mnist" / "3")
    publish_kind(store, "rows")
    unused = Figure(name="active_units", value=0, unit="dimensions", estimator="untrained")
    colour = eager("colour")
    told = draft("colour", colour).model_copy(update={"figures": (unused,)})
    publish_module(store, told, colour)
    publish_odd(store, "wide", images(3, 72, 96))
    # Small batches: each size is proven at the start.
    settings = {"models": "mnist,colour,rows,wide", "max_batch_rows": 16, "cors_origins": front.url}
    with running(store, **settings) as client:
        yield client


class Explorer:
    """The page in a window, and what one sees of it."""

    def __init__(self, context: BrowserContext, client: httpx.Client) -> None:
        self.page: Page = context.new_page()
        self.context = context
        self.client = client
        self.home = str(client.base_url).rstrip("/") + "/"
        self.visits = 0
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.refusals_expected = False
        self.page.set_default_timeout(8000)
        self.flying: set[Request] = set()  # requests that are not answered yet
        self.page.on("request", self._begin)
        self.page.on("requestfinished", self._end)
        self.page.on("requestfailed", self._end)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._hear)

    def _begin(self, request: Request) -> None:
        self.asked.append(request.url)
        self.flying.add(request)

    def _end(self, request: Request) -> None:
        self.flying.discard(request)

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser itself notes each answer that is not 200.
        refusal = message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not (refusal and self.refusals_expected):
            self.faults.append(message.text)

    def go(self, view: str = "", *, anew: bool = False) -> None:
        """Go to a view: by its address, which makes all sections anew, or by loading the page."""
        self.visits += 1
        if anew or not self.page.url.startswith(self.home):
            self.page.goto(f"{self.home}?{self.visits}#{view}")
        else:
            self.page.evaluate(GO, f"visit={self.visits}&{view}")

    def open(self, view: str = "", *, anew: bool = False) -> "Explorer":
        """Go to a view and wait until its pictures are there."""
        self.go(view, anew=anew)
        for place in ("#samples", "#walk", "#latents"):
            self.page.locator(f"{place}:not(.old) .request").first.wait_for()
        return self

    @property
    def questions(self) -> list[str]:
        """The addresses that the page has asked a model at."""
        return [url for url in self.asked if "/models/" in url]

    def settle(self) -> None:
        """Wait until everything asked for is answered and drawn."""
        calm = 0
        while calm < 4:
            self.page.evaluate(
                "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
            )
            calm = 0 if self.flying else calm + 1

    def pixels(self, selector: str) -> Pixels:
        """What the picture at `selector` shows, [H, W, 3]."""
        width, height, data = self.page.locator(selector).first.evaluate(READ)
        pixels = np.frombuffer(b64decode(data), np.uint8)
        return pixels.reshape(height, width, 4)[..., :3]

    def shows(self, selector: str, expected: Pixels) -> None:
        """Wait until the picture at `selector` is `expected`, level by level."""
        until(
            lambda: np.array_equal(self.pixels(selector), expected),
            lambda: f"{selector} does not show what was expected",
            8,
        )

    def view(self) -> str:
        """The view as the address says it; the page writes it late, and at once when it is left."""
        written: str = self.page.evaluate(
            "() => { dispatchEvent(new Event('pagehide')); return location.hash.slice(1); }"
        )
        return written

    def fault_of(self, section: str, words: str) -> None:
        """Wait until the section says `words` against what was done."""
        self.page.locator(f"#{section} [role=alert]", has_text=re.compile(words)).wait_for()

    def draw(self, *points: tuple[float, float], on: str = ".pad") -> None:
        """A stroke on the pad, or on the mask, through points in parts of its width."""
        pad = self.page.locator(on)
        pad.scroll_into_view_if_needed()
        box = pad.bounding_box()
        assert box is not None
        places = [(box["x"] + x * box["width"], box["y"] + y * box["width"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=3)
        self.page.mouse.up()
        self.settle()

    def answer(self, path: str, body: object = None) -> Pixels:
        """The service's own picture for a request, [H, W, 3]."""
        answer = self.client.post(path, json=body) if body else self.client.get(path)
        assert answer.status_code == 200, answer.text
        return picture(answer.content)


def picture(file: bytes) -> Pixels:
    """A picture file's pixels, [H, W, 3]."""
    return np.asarray(Image.open(BytesIO(file)).convert("RGB"))


def png(pixels: Pixels) -> bytes:
    """A PNG file of pixels [H, W, 3]."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


# A view of few pictures, which is there soon.
SMALL = "n=16&steps=13&frame=6"
SIZE: ViewportSize = {"width": 1100, "height": 700}


@pytest.fixture(scope="package")
def window(browser: Browser, client: httpx.Client) -> Iterator[Explorer]:
    """The one window: to make another for each test would take longer than the test."""
    context = browser.new_context(viewport=SIZE)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield Explorer(context, client)
    context.close()


@pytest.fixture
def explorer(window: Explorer) -> Iterator[Explorer]:
    """The page at SMALL; no error on the console and no request to another host is the test's last
    condition.
    """
    window.page.set_viewport_size(SIZE)
    window.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    window.refusals_expected = False
    window.open(SMALL)
    window.page.evaluate("scrollTo(0, 0)")
    window.asked.clear()
    window.faults.clear()
    yield window
    assert not window.faults
    elsewhere = [url for url in window.asked if not url.startswith(window.home)]
    assert all(url.startswith(("data:", "blob:", "about:")) for url in elsewhere), elsewhere
