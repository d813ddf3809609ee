"""The map: its picture is the service's own, and what one points at is a part of it."""

from playwright.sync_api import Position

from tests.explorer.conftest import SMALL, Explorer, Pixels

STEPS = 13
MAP = "#map .board canvas"
VIEW = "#map .view"


def tile(whole: Pixels, column: int, row: int) -> Pixels:
    return whole[28 * row : 28 * (row + 1), 28 * column : 28 * (column + 1)]


def at(explorer: Explorer, column: int, row: int) -> Position:
    """The middle of a place of the map, as the pointer takes it."""
    box = explorer.page.locator(MAP).bounding_box()
    assert box is not None
    return {
        "x": box["width"] * (column + 0.5) / STEPS,
        "y": box["height"] * (row + 0.5) / STEPS,
    }


def test_the_strongest_two_are_mapped_and_pointed_at(explorer: Explorer) -> None:
    whole = explorer.answer(f"/map?steps={STEPS}")
    explorer.shows(MAP, whole)
    explorer.shows(VIEW, tile(whole, 6, 6))
    explorer.page.locator(MAP).hover(position=at(explorer, 2, 9))
    explorer.shows(VIEW, tile(whole, 2, 9))
    explorer.page.mouse.move(0, 0)
    explorer.shows(VIEW, tile(whole, 6, 6))
    explorer.page.get_by_label("To the right").select_option("z3")
    explorer.page.locator("#map").get_by_role("combobox", name="Down").select_option("z16")
    explorer.shows(MAP, explorer.answer(f"/map?x=3&y=16&steps={STEPS}"))


def test_the_map_goes_through_the_chosen_sample(explorer: Explorer) -> None:
    explorer.settle()
    explorer.asked.clear()
    explorer.page.get_by_label("Map of").select_option("two latents of seed 1")
    explorer.shows(MAP, explorer.answer(f"/map?steps={STEPS}&seed=1"))
    assert len([url for url in explorer.questions if "/map" in url]) == 1
    explorer.page.locator(".sheet img").nth(6).click()
    whole = explorer.answer(f"/map?steps={STEPS}&seed=7")
    explorer.shows(MAP, whole)
    # A place of the map becomes the chosen picture; the sample stays the same.
    explorer.page.locator(MAP).click(position=at(explorer, 3, 4))
    explorer.settle()
    explorer.shows(MAP, whole)
    assert "seed=7'" in explorer.page.locator("#map code").inner_text()
    view = explorer.view()
    explorer.page.get_by_role("slider", name="Temperature").fill("0.5")
    cool = {"point": {"seed": 7, "temperature": 0.5}, "steps": STEPS}
    explorer.shows(MAP, explorer.answer("/map", cool))
    explorer.asked.clear()
    explorer.open(view)
    explorer.shows(MAP, whole)
    assert len([url for url in explorer.questions if "/map" in url]) == 1


def test_many_samples_are_mapped(explorer: Explorer) -> None:
    explorer.page.get_by_label("Map of").select_option("many samples")
    whole = explorer.answer(f"/map?projection=true&steps={STEPS}")
    explorer.shows(MAP, whole)
    assert explorer.page.get_by_label("To the right").is_hidden()
    explorer.page.locator(MAP).click(position=at(explorer, 3, 4))
    explorer.shows(VIEW, tile(whole, 3, 4))
    assert "Column 4, line 5." in explorer.page.locator("#map").inner_text()
    explorer.open(explorer.view())
    explorer.shows(MAP, whole)
    explorer.page.get_by_label("Map of").select_option("two latents")
    explorer.shows(MAP, explorer.answer(f"/map?steps={STEPS}"))


def test_a_place_that_is_chosen_is_varied_and_sent(explorer: Explorer) -> None:
    explorer.page.locator(MAP).click(position=at(explorer, 11, 1))
    explorer.page.mouse.move(0, 0)
    seen = explorer.pixels(VIEW)
    explorer.page.locator("#latents .note", has_text="your picture").wait_for()
    explorer.page.locator("#map").get_by_role("button", name="to Start").click()
    assert "your picture is now at Start" in explorer.page.get_by_role("status").inner_text()
    view = explorer.view()
    assert "place=11,1" in view
    explorer.open(view)
    explorer.shows(VIEW, seen)


def test_the_map_is_moved_over_by_keys(explorer: Explorer) -> None:
    whole = explorer.answer(f"/map?steps={STEPS}")
    explorer.shows(MAP, whole)
    explorer.page.locator(MAP).focus()
    for key in ("ArrowLeft", "ArrowUp", "ArrowUp"):
        explorer.page.keyboard.press(key)
    explorer.shows(VIEW, tile(whole, 5, 4))
    explorer.page.keyboard.press("Enter")
    explorer.page.locator("#latents .note", has_text="your picture").wait_for()


def test_one_latent_twice_is_refused_in_the_services_words(explorer: Explorer) -> None:
    explorer.refusals_expected = True
    explorer.open(f"across=3&down=3&{SMALL}")
    explorer.fault_of("map", "one is named twice")
