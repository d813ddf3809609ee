"""Takes the README's pictures of the page: `python -m tests.explorer.screenshots`."""

from io import BytesIO
from math import cos, pi, sin

from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.page import chromium
from tests.architecture.sources import ROOT
from tests.explorer.conftest import Explorer
from tests.serving import running

VIEW = (
    "walk=4,32,22,35&frame=25&selected=29&point=29&varied=4:0.8&n=48&steps=61"
    "&through=samples&place=2,9&direction=7%20-%209&weight=1.5"
)
COLOURS = 256  # which a page of few of them loses nothing by that one sees
SIZES = {"light": (1280, 900), "dark": (1280, 900), "phone": (360, 780)}


def three() -> list[tuple[float, float]]:
    """A 3 as a hand draws it: two bows."""
    bows = ((0.33, 0.15), (0.66, 0.19))
    return [
        (0.46 + radius * sin(part * pi), middle - radius * cos(part * pi))
        for middle, radius in bows
        for part in (step / 12 for step in range(-1, 14))
    ]


def take() -> None:
    """Three pictures into docs/images, of the bundled model."""
    store = ROOT / "model_store" / "published"
    with running(store, models="mnist", port=8000) as client, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        for name, (width, height) in SIZES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if name == "dark" else "light",
                device_scale_factor=2 if name == "phone" else 1,
            )
            explorer = Explorer(context, client).open(VIEW)
            explorer.draw(*three())
            explorer.draw((0.2, 0.7), (0.8, 0.7), on=".mask")
            explorer.page.get_by_label("Show").select_option("the 4 likeliest")
            explorer.page.get_by_role("button", name="Restore", exact=True).click()
            explorer.page.locator("#restore .request").wait_for()
            explorer.settle()
            explorer.page.mouse.move(0, 0)
            explorer.page.evaluate("scrollTo(0, 0)")
            file = ROOT / "docs" / "images" / f"explorer_{name}.png"
            shot = explorer.page.screenshot(full_page=name != "phone")
            whole = Image.open(BytesIO(shot)).convert("RGB")
            whole.quantize(COLOURS, dither=Image.Dither.NONE).save(file)
            context.close()
        browser.close()


if __name__ == "__main__":
    take()
