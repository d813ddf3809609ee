"""How soon the service's page shows samples, how smoothly it walks, and how much it weighs."""

import shutil
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from benchmarks.trials.goals import Goal, at_least, at_most, milliseconds

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
LOADS = 5  # each by a browser that knows nothing of the page
PLAYED = 3.0  # seconds
MOST_SECONDS = 1.0
MOST_BYTES = 100_000
# A screen shows whole frames: of thirty a second, one may fall on either side of the measured time.
LEAST_FRAMES = 29.0

FIRST = """() => {
  const image = document.querySelector("#samples .sheet img");
  return image?.complete && image.naturalWidth ? performance.now() / 1000 : 0;
}"""
READY = """() => Number(document.querySelector("#walk .player input")?.max) > 1"""
FRAMES = """seconds => new Promise(done => {
  const slider = document.querySelector("#walk .player input");
  const began = performance.now();
  let [frames, last] = [0, slider.value];
  const look = now => {
    if (slider.value !== last) frames++;
    last = slider.value;
    if (now - began < 1000 * seconds) requestAnimationFrame(look);
    else done(1000 * frames / (now - began));
  };
  requestAnimationFrame(look);
})"""
OWN_BYTES = """() => performance.getEntriesByType("resource")
  .filter(({ name }) => name.includes("/explorer/"))
  .concat(performance.getEntriesByType("navigation"))
  .reduce((sum, entry) => sum + entry.decodedBodySize, 0)"""


def chromium() -> str | None:
    """Where this machine's own browser is, if it has one."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


def goals(url: str) -> list[Goal]:
    """Of a running service, in the machine's own Chromium; LookupError where there is none."""
    path = chromium()
    if path is None:
        raise LookupError(f"none of {', '.join(CHROMIUM)} is on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        seconds = [_first_samples(browser, url) for _ in range(LOADS)]
        frames, size = _walk(browser, url)
        browser.close()
    return [
        at_most(
            "from the request to the first samples", median(seconds), MOST_SECONDS, milliseconds
        ),
        at_least("frames of a playing walk", frames, LEAST_FRAMES, lambda rate: f"{rate:.1f} / s"),
        at_most("the page's own files", size, MOST_BYTES, lambda size: f"{size / 1000:.1f} KB"),
    ]


def _first_samples(browser: Browser, url: str) -> float:
    context = browser.new_context()
    page = context.new_page()
    page.goto(url, wait_until="commit")
    seconds = float(page.wait_for_function(FIRST, polling="raf").json_value())
    context.close()
    return seconds


def _walk(browser: Browser, url: str) -> tuple[float, float]:
    """Frames a second while the walk plays, and bytes of the page."""
    page = browser.new_page()
    page.goto(url)
    page.wait_for_function(READY)
    page.click("#walk .player button")
    frames = float(page.evaluate(FRAMES, PLAYED))
    return frames, float(page.evaluate(OWN_BYTES))
