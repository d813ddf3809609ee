"""A mask is painted on the chosen picture; what is restored is the service's own answer."""

import re
from base64 import b64encode, urlsafe_b64decode

import numpy as np

from tests.explorer.conftest import SMALL, Explorer, Pixels, picture

PAD = "#restore .mask"
RESTORED = "#restore .sheet img >> nth={}"
COVER = np.array((224, 122, 60), np.uint8)


def mask_of(explorer: Explorer) -> bytes:
    """The mask as the address has it, a PNG file."""
    return picture_in(explorer, "mask=")


def picture_in(explorer: Explorer, name: str) -> bytes:
    """The PNG file that the address has after `name`."""
    found = re.search(rf"{name}i([\w-]+)", explorer.view())
    assert found
    return urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4))


def restored(explorer: Explorer, seed: int, mask: bytes, **question: int) -> Pixels:
    """What the service restores."""
    body = {"point": {"seed": seed}, "mask": b64encode(mask).decode()} | question
    return explorer.answer("/restore", body)


def test_what_is_painted_over_is_restored(explorer: Explorer) -> None:
    explorer.page.locator(".sheet img").nth(2).click()
    explorer.draw((0.1, 0.75), (0.9, 0.75), on=PAD)
    mask = mask_of(explorer)
    hidden = picture(mask)[..., 0] > 0
    assert hidden.shape == (28, 28)
    assert hidden[20:22, 4:24].all()
    assert not hidden[:17].any()
    cover = np.where(hidden[..., None], COVER, explorer.answer("/sample?seed=3"))
    explorer.shows(PAD, cover.repeat(18, 0).repeat(18, 1))
    explorer.page.get_by_role("button", name="Restore", exact=True).click()
    answer = restored(explorer, 3, mask)
    explorer.shows(RESTORED.format(0), answer)
    view = explorer.view()
    explorer.open(view, anew=True)
    explorer.shows(RESTORED.format(0), answer)
    explorer.shows(PAD, cover.repeat(18, 0).repeat(18, 1))
    explorer.page.locator(".sheet img").nth(5).click()
    explorer.page.locator("#restore .sheet.empty").wait_for()
    assert "mask=" not in explorer.view()


def test_several_are_shown_and_each_can_be_carried_on(explorer: Explorer) -> None:
    explorer.draw((0.1, 0.6), (0.9, 0.6), on=PAD)
    section = explorer.page.locator("#restore")
    section.get_by_label("Show").select_option("the 4 likeliest")
    section.get_by_role("button", name="Restore", exact=True).click()
    whole = restored(explorer, 1, mask_of(explorer), samples=4)
    tiles = [whole[row : row + 28, column : column + 28] for row in (0, 28) for column in (0, 28)]
    for i, tile in enumerate(tiles):
        explorer.shows(RESTORED.format(i), tile)
    with explorer.page.expect_download() as file:
        section.get_by_role("button", name="PNG: download").click()
    assert np.array_equal(picture(file.value.path().read_bytes())[::9, ::9], whole)

    section.get_by_role("option", name="Restoration 1 of 4").press("ArrowDown")
    chosen = section.get_by_role("option", name="Restoration 3 of 4", selected=True)
    assert chosen.evaluate("node => node === document.activeElement")
    section.get_by_role("button", name="to End").click()
    explorer.settle()
    assert np.array_equal(picture(picture_in(explorer, "walk=1,,,")), tiles[2])
    explorer.open(explorer.view(), anew=True)
    chosen.wait_for()
    section.get_by_label("Show").select_option("the 9 likeliest")
    explorer.shows(
        RESTORED.format(8), restored(explorer, 1, mask_of(explorer), samples=9)[56:, 56:]
    )


def test_the_mask_is_painted_by_keys_with_a_wider_brush(explorer: Explorer) -> None:
    explorer.page.get_by_role("slider", name="Brush").fill("0.4")
    explorer.page.locator("#restore").get_by_role("button", name="to End").click()
    explorer.fault_of("restore", "Nothing is restored yet")
    explorer.page.locator(PAD).focus()
    for key in ("Space", "ArrowDown"):
        explorer.page.keyboard.press(key)
    hidden = picture(mask_of(explorer))[..., 0] > 0
    assert 9 <= hidden.any(0).sum() <= 13
    explorer.page.locator("#restore").get_by_role("button", name="Unmask").click()
    assert "mask=" not in explorer.view()


def test_a_broken_mask_is_said(explorer: Explorer) -> None:
    explorer.open(f"point=1&mask=5&restored=yes&{SMALL}")
    explorer.fault_of("restore", "holds a point where a mask should be")
