"""The pages in a browser, each under its policy: at the root, and below a proxy's prefix."""

import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, Response

from tests.architecture.sources import ROOT
from tests.explorer.below_a_prefix import proxying
from tests.serving import running


@pytest.fixture(scope="module")
def homes(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:  # noqa: ARG001 - skipped where there is none
    """Where the service is found: by itself, and below a prefix that a proxy takes off."""
    store = tmp_path_factory.mktemp("below") / "store"
    shutil.copytree(ROOT / "model_store" / "published" / "mnist" / "3", store / "mnist" / "3")
    settings = {"max_batch_rows": 16, "root_path": "/vae"}
    with running(store, **settings) as client, proxying(client, "/vae") as below:
        yield [str(client.base_url).rstrip("/") + "/vae", below]


@pytest.fixture(params=[0, 1], ids=["prefix left", "prefix taken off"])
def home(homes: list[str], request: pytest.FixtureRequest) -> str:
    place: int = request.param
    return homes[place]


@pytest.fixture
def page(browser: Browser, home: str) -> Iterator[Page]:
    """A window in which nothing is said on the console, and nothing asked for from elsewhere."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    said: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))

    def note(answer: Response) -> None:
        if not answer.ok:
            said.append(f"{answer.status}: {answer.url}")

    page.on("response", note)
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert not said
    outside = [url for url in asked if not url.startswith((home + "/", "data:", "blob:"))]
    assert not outside


def test_the_documentation_lists_the_operations_and_tries_one(page: Page, home: str) -> None:
    page.goto(home + "/docs")
    page.locator(".opblock").first.wait_for()
    document = httpx.get(home + "/openapi.json").json()
    count = sum(len(methods) for methods in document["paths"].values())
    assert page.locator(".opblock").count() == count
    sample = page.locator(".opblock-get", has=page.locator('[data-path="/sample"]'))
    sample.locator(".opblock-summary-control").click()
    sample.get_by_role("button", name="Try it out").click()
    sample.get_by_role("button", name="Execute").click()
    sample.locator(".live-responses-table .response-col_status", has_text="200").wait_for()
    # What was answered is shown, which is a picture.
    shown = sample.locator(".live-responses-table img")
    shown.wait_for()
    page.wait_for_function("image => image.naturalWidth > 0", arg=shown.element_handle())


def test_the_explorer_shows_samples(page: Page, home: str) -> None:
    page.goto(home + "/")
    sheet = page.locator("#samples .sheet img").first
    sheet.wait_for()
    page.wait_for_function("image => image.naturalWidth > 0", arg=sheet.element_handle())
    page.locator("#walk .request").first.wait_for()
    assert f"{home}/models/mnist@3/" in page.locator("#walk code").inner_text()
