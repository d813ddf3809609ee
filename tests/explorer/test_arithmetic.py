"""Sums of the chosen picture and a direction are the service's own."""

from tests.explorer.conftest import SMALL, Explorer

BEFORE = "#arithmetic figure >> nth=0 >> canvas"
SUM = "#arithmetic figure >> nth=1 >> canvas"


def total(explorer: Explorer, seed: int, direction: str, weight: float) -> None:
    """Wait until the sum is shown."""
    terms = [{"seed": seed}, {"direction": direction, "weight": weight}]
    explorer.shows(SUM, explorer.answer("/arithmetic", {"terms": terms}))


def test_a_direction_is_added_by_its_weight(explorer: Explorer) -> None:
    total(explorer, 1, "0", 1)
    explorer.page.get_by_label("Direction").select_option("3 - 8")
    total(explorer, 1, "3 - 8", 1)
    explorer.page.get_by_role("slider", name="Weight").fill("-1.5")
    total(explorer, 1, "3 - 8", -1.5)
    explorer.page.locator(".sheet img").nth(4).click()
    total(explorer, 5, "3 - 8", -1.5)
    explorer.shows(BEFORE, explorer.answer("/sample?seed=5"))
    caption = explorer.page.locator("#arithmetic figcaption").nth(1)
    assert caption.inner_text() == "less 1.5 × (3 - 8)"
    explorer.open(explorer.view())
    total(explorer, 5, "3 - 8", -1.5)


def test_a_sum_is_sent_into_the_walk(explorer: Explorer) -> None:
    total(explorer, 1, "0", 1)
    explorer.page.locator("#arithmetic").get_by_role("button", name="to End").click()
    assert "your picture is now at End" in explorer.page.get_by_role("status").inner_text()


def test_an_unknown_direction_is_refused_in_the_services_words(explorer: Explorer) -> None:
    explorer.refusals_expected = True
    explorer.open(f"direction=happiness&{SMALL}")
    explorer.fault_of("arithmetic", "happiness")


def test_a_model_without_directions_says_so(explorer: Explorer) -> None:
    explorer.open(f"model=colour@1&{SMALL}")
    section = explorer.page.locator("#arithmetic")
    section.get_by_text("No directions were published with colour@1").wait_for()
    assert section.locator("canvas, select").count() == 0
