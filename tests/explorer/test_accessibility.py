"""axe-core finds nothing on the page, in either light, on a desk or a phone."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # it has none

from tests.explorer.conftest import SMALL, Explorer


@pytest.mark.parametrize(
    ("scheme", "width", "route"), [("light", 1200, "sheet"), ("dark", 360, "loop")]
)
def test_axe_finds_no_violation(
    explorer: Explorer, scheme: Literal["light", "dark"], width: int, route: str
) -> None:
    explorer.open(f"walk=1,2,3,4&route={route}&{SMALL}")
    explorer.page.set_viewport_size({"width": width, "height": 900})
    explorer.page.emulate_media(color_scheme=scheme)
    explorer.draw((0.3, 0.3), (0.6, 0.6))
    explorer.page.locator("#drawing .request").wait_for()
    explorer.page.get_by_role("button", name="Undo").click()
    explorer.page.get_by_role("button", name="Undo").click()
    explorer.page.get_by_role("button", name="Vary its latents").click()
    explorer.fault_of("drawing", "pad is empty")
    explorer.draw((0.2, 0.7), (0.8, 0.7), on=".mask")
    explorer.page.get_by_label("Show").select_option("the 4 likeliest")
    explorer.page.get_by_role("button", name="Restore", exact=True).click()
    explorer.page.locator("#restore .request").wait_for()
    found = Axe().run(explorer.page)
    told = [
        (rule["id"], [node["html"] for node in rule["nodes"]])
        for rule in found.response["violations"]
    ]
    assert not told
    assert len(found.response["passes"]) > 20
