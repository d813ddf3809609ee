"""The sheet of samples and the walk: what is seen is what the service answers, pixel for pixel."""

import numpy as np

from tests.app.processes import until
from tests.explorer.conftest import Explorer, picture

TILE = ".sheet img >> nth={}"
SLOT = ".slot >> nth={} >> canvas"
END = 12  # the number of the walk's last frame


def go_to(explorer: Explorer, frame: int) -> None:
    explorer.page.locator("#walk input[type=range]").fill(str(frame))


def test_a_sheet_is_one_request_and_its_pictures_are_the_seeds_own(explorer: Explorer) -> None:
    explorer.open(anew=True)
    sheets = [url for url in explorer.questions if url.count("seed=") > 2 or "/sample" in url]
    assert len([url for url in sheets if "/interpolate" in url]) == 1
    assert len(sheets) == 2  # the other is the chosen sample's
    assert len([url for url in explorer.questions if "/traverse" in url]) == 1
    assert explorer.page.locator(".sheet img").count() == 48
    for tile, seed in ((0, 1), (17, 18), (47, 48)):
        explorer.shows(TILE.format(tile), explorer.answer(f"/sample?seed={seed}"))


def test_other_seeds_and_numbers_of_samples(explorer: Explorer) -> None:
    explorer.page.get_by_label("How many").select_option("32")
    explorer.page.get_by_label("First seed").fill("900")
    explorer.page.get_by_label("First seed").press("Enter")
    explorer.shows(TILE.format(31), explorer.answer("/sample?seed=931"))
    assert explorer.page.locator(".sheet img").count() == 32
    explorer.page.get_by_role("button", name="New sheet").click()
    until(lambda: "seed=900" not in explorer.view(), lambda: "the seed is the same")


def test_temperature_scales_the_same_samples(explorer: Explorer) -> None:
    explorer.settle()
    explorer.asked.clear()
    explorer.page.get_by_role("slider", name="Temperature").fill("0.5")
    for tile in (0, 3, 15):
        sample = explorer.answer(f"/sample?seed={tile + 1}&temperature=0.5")
        explorer.shows(TILE.format(tile), sample)
    assert len([url for url in explorer.questions if "/interpolate?format" in url]) == 1
    explorer.page.get_by_role("slider", name="Temperature").fill("0")
    explorer.shows(TILE.format(15), explorer.answer("/sample?seed=1&temperature=0"))


def test_a_sample_at_another_temperature_is_the_same_point_everywhere(explorer: Explorer) -> None:
    explorer.page.get_by_role("slider", name="Temperature").fill("0.7")
    explorer.page.locator(".sheet img[title='seed 6 at temperature 0.7']").click()
    sample = explorer.answer("/sample?seed=6&temperature=0.7")
    explorer.shows("#latents .view", sample)
    explorer.page.locator("#samples").get_by_role("button", name="to End").click()
    explorer.shows(SLOT.format(3), sample)
    go_to(explorer, END)
    explorer.shows("#walk .view", sample)
    line = explorer.page.locator("#walk code").inner_text()
    assert '"points":[{"seed":1},{"seed":6,"temperature":0.7}]' in line


def test_a_sample_that_is_dragged_into_the_walk_is_met_exactly(explorer: Explorer) -> None:
    # High enough for both: what is dragged cannot scroll.
    explorer.page.set_viewport_size({"width": 1100, "height": 1000})
    for tile, place in ((10, 0), (12, 1), (3, 3)):
        explorer.page.locator(TILE.format(tile)).drag_to(explorer.page.locator(SLOT.format(place)))
    for tile, place, frame in ((10, 0, 0), (12, 1, END // 2), (3, 3, END)):
        sample = explorer.answer(f"/sample?seed={tile + 1}")
        explorer.shows(SLOT.format(place), sample)
        go_to(explorer, frame)
        explorer.shows("#walk .view", sample)
    explorer.page.get_by_role("button", name="Remove Corner 1").click()
    go_to(explorer, END // 2)
    explorer.shows("#walk .view", explorer.answer("/interpolate?seed=11&seed=4&steps=3")[:, 28:56])


def test_by_keyboard_alone_a_sample_is_chosen_and_sent(explorer: Explorer) -> None:
    keyboard = explorer.page.keyboard
    explorer.page.locator("#samples select").focus()
    for key in ("Tab", "ArrowDown", "ArrowRight", "ArrowRight"):
        keyboard.press(key)
    chosen = explorer.page.locator(".sheet [aria-selected=true]")
    assert chosen.get_attribute("alt") == "seed 7"
    assert explorer.page.evaluate("document.activeElement.alt") == "seed 7"
    while explorer.page.evaluate("document.activeElement.textContent") != "End":
        keyboard.press("Tab")
    keyboard.press("Enter")
    explorer.shows(SLOT.format(3), explorer.answer("/sample?seed=7"))
    assert "seed 7 is now at End" in explorer.page.get_by_role("status").inner_text()


def test_the_walk_moves_with_its_slider_through_frames_of_one_request(explorer: Explorer) -> None:
    before = len(explorer.questions)
    frames = []
    for frame in (0, 4, 8, END):
        go_to(explorer, frame)
        frames.append(explorer.pixels("#walk .view"))
    assert len({frame.tobytes() for frame in frames}) == 4
    assert np.array_equal(frames[0], explorer.answer("/sample?seed=1"))
    assert np.array_equal(frames[3], explorer.answer("/sample?seed=8"))
    assert len(explorer.questions) == before
    slider = explorer.page.locator("#walk input[type=range]")
    slider.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "Frame 12 of 13"
    explorer.page.locator("#walk .strip").click(position={"x": 1, "y": 10})
    explorer.shows("#walk .view", frames[0])


def test_the_walk_plays_until_it_is_paused(explorer: Explorer) -> None:
    seen = set()
    explorer.page.get_by_role("button", name="Play").click()

    def several() -> bool:
        seen.add(explorer.pixels("#walk .view").tobytes())
        return len(seen) > 4

    until(several, lambda: "the walk stands still")
    explorer.page.get_by_role("button", name="Pause").click()
    still = explorer.pixels("#walk .view")
    explorer.page.wait_for_timeout(100)
    assert np.array_equal(explorer.pixels("#walk .view"), still)


def test_who_wants_less_motion_sees_it_slowly(explorer: Explorer) -> None:
    explorer.page.emulate_media(reduced_motion="reduce")
    go_to(explorer, 0)
    explorer.page.get_by_role("button", name="Play").click()
    explorer.page.wait_for_timeout(500)
    where = explorer.page.locator("#walk .player .value").inner_text()
    assert 1 <= int(where.split()[0]) <= 4


def test_a_picture_can_be_kept_and_its_line_copied(explorer: Explorer) -> None:
    with explorer.page.expect_download() as strip:
        explorer.page.get_by_role("button", name="PNG: download walk.png").click()
    walk = explorer.answer("/interpolate?seed=1&seed=8&steps=13")
    assert np.array_equal(picture(strip.value.path().read_bytes()), walk)
    with explorer.page.expect_download() as sheet:
        explorer.page.get_by_role("button", name="PNG: download samples_1.png").click()
    seeds = "&".join(f"seed={seed}" for seed in range(1, 17))
    grid = explorer.answer(f"/interpolate?{seeds}&steps=16&layout=grid&columns=4")
    assert np.array_equal(picture(sheet.value.path().read_bytes()), grid)
    explorer.page.locator("#walk").get_by_role("button", name="Copy").click()
    line = explorer.page.locator("#walk code").inner_text()
    assert line.startswith("curl ")
    assert explorer.page.evaluate("navigator.clipboard.readText()") == line
