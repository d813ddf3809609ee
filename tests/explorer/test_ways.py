"""How a walk goes: each choice is the service's own, in what is seen, kept and said by the line."""

from io import BytesIO
from itertools import pairwise
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from tests.app.processes import until
from tests.explorer.conftest import SMALL, Explorer, Pixels, picture

VIEW = "#walk .view"
STRIP = "#walk .strip"
SLOT = ".slot >> nth={} >> canvas"


def choose(explorer: Explorer, **choices: str) -> None:
    for name, words in choices.items():
        explorer.page.get_by_role("combobox", name=name).select_option(label=words)


def walked(explorer: Explorer, walk: Pixels, *frames: int) -> None:
    """Wait until these frames are those of the service's strip."""
    for frame in frames:
        explorer.page.locator("#walk input[type=range]").fill(str(frame))
        explorer.shows(VIEW, walk[:, 28 * frame : 28 * (frame + 1)])


def kept(explorer: Explorer, name: str) -> bytes:
    """The file that a button of the walk gives."""
    with explorer.page.expect_download() as file:
        explorer.page.locator("#walk").get_by_role("button", name=f"{name}: download").click()
    return file.value.path().read_bytes()


def test_steps_and_the_way_between_can_be_chosen(explorer: Explorer) -> None:
    choose(explorer, Frames="37", Way="scaled")
    walked(explorer, explorer.answer("/interpolate?seed=1&seed=8&steps=37&method=cog"), 10, 15)
    choose(explorer, Pace="slow ends")
    eased = "/interpolate?seed=1&seed=8&steps=37&method=cog&easing=in_out"
    walked(explorer, explorer.answer(eased), 3, 15)
    choose(explorer, Evenly="to the eye")
    walk = explorer.answer(f"{eased}&spacing=pixel")
    walked(explorer, walk, 3, 15)
    assert f"{eased}&spacing=pixel'" in explorer.page.locator("#walk code").inner_text()
    view = explorer.view()
    explorer.open(view)
    explorer.shows(VIEW, walk[:, 28 * 15 : 28 * 16])


def test_the_points_are_shown_where_no_frame_meets_them(explorer: Explorer) -> None:
    explorer.open(f"walk=3,9,,5&easing=in&{SMALL}")
    for place, seed in ((0, 3), (1, 9), (3, 5)):
        explorer.shows(SLOT.format(place), explorer.answer(f"/sample?seed={seed}"))


def test_a_walk_goes_round(explorer: Explorer) -> None:
    explorer.open(f"walk=1,2,3,4&route=loop&{SMALL}")
    walk = explorer.answer("/interpolate?seed=1&seed=2&seed=3&seed=4&steps=12&loop=true")
    walked(explorer, walk, 0, 3, 6, 9, 11)
    assert np.array_equal(walk[:, 28 * 9 : 28 * 10], explorer.answer("/sample?seed=4"))
    slider = explorer.page.locator("#walk input[type=range]")
    assert slider.get_attribute("aria-valuetext") == "Frame 12 of 12"
    with Image.open(BytesIO(kept(explorer, "GIF"))) as film:
        assert getattr(film, "n_frames", 1) == 12
    seen: list[int] = []
    explorer.page.get_by_role("button", name="Play").click()

    def comes_round() -> bool:
        seen.append(int(slider.input_value()))
        return any(later < earlier - 8 for earlier, later in pairwise(seen))

    until(comes_round, lambda: f"it has not come round: {seen}")


def test_four_points_are_the_corners_of_a_sheet(explorer: Explorer) -> None:
    sheet_of_two = explorer.page.get_by_role("option", name="once all four places", disabled=True)
    assert sheet_of_two.count() == 1
    explorer.open(f"walk=1,2,3,4&route=sheet&{SMALL}")
    asked = "/interpolate?seed=1&seed=2&seed=3&seed=4&steps=3&rows=3"
    sheet = explorer.answer(f"{asked}&method=slerp")
    explorer.shows(STRIP, sheet)
    board = explorer.page.locator(STRIP)
    box = board.bounding_box()
    assert box is not None
    board.click(position={"x": box["width"] / 6, "y": 5 * box["height"] / 6})
    explorer.shows(VIEW, explorer.answer("/sample?seed=3"))
    assert "frame=6" in explorer.view()
    assert np.array_equal(picture(kept(explorer, "PNG")), sheet)
    assert f"{asked}&method=slerp'" in explorer.page.locator("#walk code").inner_text()
    for hidden in ("Play", "GIF: download"):
        button = explorer.page.locator("#walk").get_by_role("button", name=hidden)
        assert button.count() == 0
    explorer.page.get_by_role("button", name="Remove Corner 1").click()
    walked(explorer, explorer.answer("/interpolate?seed=1&seed=3&seed=4&steps=13"), 6)


@pytest.mark.parametrize("name", ["GIF", "WebP", "APNG"])
def test_a_walk_is_kept_as_an_animation_that_moves_as_it_plays(
    explorer: Explorer, name: str
) -> None:
    walk = explorer.answer("/interpolate?seed=1&seed=8&steps=13")
    with Image.open(BytesIO(kept(explorer, name))) as film:
        assert getattr(film, "n_frames", 1) == 13 + 11  # there and back
        for frame in (0, 5, 12):
            film.seek(frame)
            seen = np.asarray(film.convert("RGB"))[::9, ::9]
            assert np.array_equal(seen, walk[:, 28 * frame : 28 * (frame + 1)])


def test_a_walk_is_kept_as_a_sprite_for_the_projector(explorer: Explorer) -> None:
    walk = explorer.answer("/interpolate?seed=1&seed=8&steps=13")
    with ZipFile(BytesIO(kept(explorer, "Sprite"))) as files:
        sprite = picture(files.read("sprite.png"))
    assert np.array_equal(sprite[28:56, :28], walk[:, 28 * 4 : 28 * 5])  # four columns of 13
