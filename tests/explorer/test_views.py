"""What holds for the whole page: its address, its words for errors, its models, its curl lines."""

import subprocess
from base64 import b64encode
from pathlib import Path

import numpy as np

from tests.app.processes import until
from tests.explorer.conftest import SMALL, Explorer, picture, png

PICTURES = ("#walk .view", "#walk .strip", "#latents .view", ".drawing figure >> nth=1 >> canvas")


def test_a_view_that_is_sent_to_someone_opens_the_same(explorer: Explorer) -> None:
    explorer.page.get_by_label("First seed").fill("70")
    explorer.page.get_by_label("First seed").press("Enter")
    explorer.page.get_by_role("slider", name="Temperature").fill("0.7")
    explorer.page.locator(".sheet img[title^='seed 75 at']").click()
    explorer.draw((0.3, 0.3), (0.6, 0.6))
    explorer.page.locator("#drawing .request").wait_for()
    explorer.page.get_by_role("button", name="Walk to seed 75 at temperature 0.7").click()
    explorer.page.locator("#samples").get_by_role("button", name="Corner 1").click()
    explorer.page.locator("#walk input[type=range]").fill("4")
    explorer.page.get_by_role("slider", name="z9", exact=True).fill("3")
    line = explorer.page.locator("#latents code")
    until(lambda: ",3," in line.inner_text(), lambda: "the latent is not varied")
    explorer.settle()
    view = explorer.view()
    seen = {place: explorer.pixels(place) for place in PICTURES}
    shown = explorer.page.locator(".sheet img").nth(10).get_attribute("src")

    explorer.open(view, anew=True)
    for place, pixels in seen.items():
        explorer.shows(place, pixels)
    assert explorer.page.locator(".sheet img").nth(10).get_attribute("src") == shown
    assert explorer.view() == view
    explorer.page.evaluate("location.hash = 'seed=5&n=16'")
    explorer.shows(".sheet img", explorer.answer("/sample?seed=5"))


def test_a_bad_seed_is_said_in_the_services_words(explorer: Explorer) -> None:
    explorer.refusals_expected = True
    field = explorer.page.get_by_label("First seed")
    said = {"many": "Invalid request: seed: many given", "-1": "greater than or equal", "": "seed"}
    for typed, words in said.items():
        field.fill(typed)
        field.press("Enter")
        explorer.fault_of("samples", words)
    field.fill("3")
    field.press("Enter")
    explorer.shows(".sheet img", explorer.answer("/sample?seed=3"))
    assert explorer.page.locator("#samples [role=alert]").inner_text() == ""


# A view that cannot be shown: where that is said, and what.
BAD_VIEWS = {
    "walk=1,,,broken!": ("#walk", "holds “broken!” where a point should be"),
    "walk=1,,,zAAAAAA": ("#walk", "latent"),
    "walk=1,,,2&method=sideways": ("#walk", "the methods are slerp, linear"),
    "walk=1,,,2&easing=sudden": ("#walk", "the easings are linear, in"),
    "walk=1,,,2&steps=99999": ("#walk", "Over the limit: 99999 steps"),
    "drawing=iAAAA": ("#drawing", "is not a picture"),
    "n=1000": ("#samples", "asks for 1000 samples"),
    "temperature=11": ("#samples", "temperature"),
    "model=mnist@9": ("main", "mnist@9 is not loaded here"),
    "model=../../sample": ("main", "is not loaded here"),
}


def test_a_bad_address_is_said_where_it_shows(explorer: Explorer) -> None:
    explorer.refusals_expected = True
    for view, (place, words) in BAD_VIEWS.items():
        explorer.go(f"{view}&{SMALL}")
        fault = explorer.page.locator(f"{place}:not(.old) [role=alert]", has_text=words)
        fault.first.wait_for()
    explorer.open(SMALL)


def test_a_service_that_does_not_answer_is_said(explorer: Explorer) -> None:
    explorer.refusals_expected = True
    explorer.context.set_offline(True)
    field = explorer.page.get_by_label("First seed")
    field.fill("8")
    field.press("Enter")
    explorer.fault_of("samples", "does not answer")
    explorer.context.set_offline(False)
    field.fill("9")
    field.press("Enter")
    explorer.shows(".sheet img", explorer.answer("/sample?seed=9"))


def test_another_model_shows_its_own_pictures(explorer: Explorer) -> None:
    explorer.page.get_by_label("Model").select_option("colour@1")
    colour = explorer.answer("/models/colour@1/sample?seed=1")
    assert len(np.unique(colour.reshape(-1, 3), axis=0)) > 9
    explorer.shows(".sheet img", colour)
    explorer.page.get_by_label("Colour of the pen").fill("#3060ff")
    explorer.draw((0.5, 0.1), (0.5, 0.9))
    given = ".drawing figure >> nth=0 >> canvas"
    until(lambda: explorer.pixels(given).shape == (8, 8, 3), lambda: "nothing is given")
    red, green, blue = explorer.pixels(given)[4, 4].tolist()
    assert 0 < red < green < blue
    explorer.page.get_by_role("slider", name="z5", exact=True).fill("-4")
    assert "none is stronger" in explorer.page.locator("#latents").inner_text()
    line = explorer.page.locator("#latents code")
    until(lambda: "-4" in line.inner_text(), lambda: "the latent is not varied")
    assert line.inner_text().count("[") == 1 + 1 + 2 + 8 + 0  # [[[[…4 rows of 4]…], 2 channels]]
    explorer.page.get_by_label("Model").select_option("mnist@3")
    explorer.shows(".sheet img", explorer.answer("/sample?seed=1"))


def test_larger_images_of_any_shape_begin_with_fewer(explorer: Explorer) -> None:
    explorer.refusals_expected = True  # it is untrained, and does not tell so
    explorer.open("model=wide@1")
    assert explorer.page.locator(".sheet img").count() == 16
    explorer.shows(".sheet img >> nth=15", explorer.answer("/models/wide/sample?seed=16"))
    box = explorer.page.locator(".pad").bounding_box()
    assert box is not None
    assert abs(box["width"] / box["height"] - 96 / 72) < 0.02
    photo = np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8)
    file = explorer.page.locator("input[type=file]")
    file.set_input_files({"name": "photo.png", "mimeType": "image/png", "buffer": png(photo)})
    explorer.shows(".drawing figure canvas", photo)
    assert "000 characters long" in explorer.page.locator("#drawing .note").inner_text()
    assert explorer.page.get_by_role("button", name="Latents after these").is_hidden()


def test_a_model_of_rows_is_told_apart_in_words(explorer: Explorer) -> None:
    explorer.go("model=rows@1")
    about = explorer.page.locator("#about")
    about.get_by_text(
        "rows@1 is a model of rows of 6 numbers. This page shows images only"
    ).wait_for()
    assert about.get_by_role("link").get_attribute("href") == "docs"
    assert explorer.page.locator("section").count() == 0


def test_every_curl_line_gives_the_picture_above_it(explorer: Explorer, tmp_path: Path) -> None:
    explorer.page.get_by_role("slider", name="Temperature").fill("0.7")
    explorer.page.locator(".sheet img[title='seed 3 at temperature 0.7']").click()
    explorer.draw((0.3, 0.3), (0.6, 0.6))
    explorer.page.locator("#drawing .request").wait_for()
    explorer.page.locator("#drawing").get_by_role("button", name="Corner 1").click()
    walk = explorer.page.locator("#walk code")
    until(lambda: "image" in walk.inner_text(), lambda: "the drawing is not in the walk")
    explorer.draw((0.2, 0.7), (0.8, 0.7), on=".mask")
    explorer.page.get_by_role("button", name="Restore", exact=True).click()
    explorer.page.locator("#restore .request").wait_for()
    explorer.settle()
    for line in explorer.page.locator("code").all_inner_texts():
        assert line.startswith("curl ")
        quiet = line.replace("curl ", "curl --fail --silent --show-error ")
        subprocess.run(["bash", "-euc", quiet], cwd=tmp_path, check=True, timeout=20)

    def file(name: str, scale: int = 9) -> np.ndarray:
        return picture((tmp_path / name).read_bytes())[::scale, ::scale]

    for seed in (1, 16):
        explorer.shows(f".sheet img >> nth={seed - 1}", file(f"seed_{seed}.png"))
    explorer.shows(".sheet img >> nth=2", file("seed_3.png"))
    explorer.shows(".drawing figure >> nth=1 >> canvas", file("reconstruction.png"))
    explorer.shows("#latents .view", file("latent.png"))
    explorer.shows("#map .board canvas", file("map.png", scale=1))
    explorer.shows("#arithmetic figure >> nth=1 >> canvas", file("sum.png"))
    explorer.shows("#restore .sheet img", file("restored.png"))
    frames = file("walk.png", scale=1)
    explorer.shows("#walk .view", frames[:, 6 * 28 : 7 * 28])


def test_light_and_dark_are_chosen_and_kept(explorer: Explorer) -> None:
    explorer.page.emulate_media(color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = explorer.page.evaluate(paper)
    explorer.page.get_by_role("button", name="Light colours").click()
    light = explorer.page.evaluate(paper)
    assert light != dark
    explorer.open(SMALL, anew=True)
    assert explorer.page.evaluate(paper) == light
    explorer.page.get_by_role("button", name="Dark colours").click()
    assert explorer.page.evaluate(paper) == dark
    explorer.page.evaluate("localStorage.clear(), delete document.documentElement.dataset.theme")


def test_the_page_leads_to_the_documentation_and_the_metrics(explorer: Explorer) -> None:
    links = explorer.page.get_by_role("navigation").get_by_role("link").all()
    there = [explorer.client.get(str(link.get_attribute("href"))) for link in links]
    assert [answer.status_code for answer in there] == [200, 200]
    assert "latentd_requests_total" in there[1].text


def test_it_fits_a_phone(explorer: Explorer) -> None:
    explorer.page.set_viewport_size({"width": 360, "height": 740})
    assert explorer.page.evaluate("document.documentElement.scrollWidth") <= 360
    explorer.page.locator(".sheet img").nth(9).click()
    explorer.page.locator("#samples").get_by_role("button", name="Start").click()
    explorer.shows(".slot canvas", explorer.answer("/sample?seed=10"))
    sizes = explorer.page.locator("button:visible, .sheet img").evaluate_all(
        "all => all.map(node => Math.min(node.offsetWidth, node.offsetHeight))"
    )
    assert min(sizes) >= 24  # WCAG 2.2, success criterion 2.5.8


def test_an_image_as_base64_in_the_address_is_the_servers_too(explorer: Explorer) -> None:
    sample = explorer.client.get("/sample?seed=44").content
    point = "i" + b64encode(sample).decode().rstrip("=").replace("+", "-").replace("/", "_")
    explorer.open(f"walk={point},,,2&frame=0&n=16&steps=13")
    body = {"points": [{"image": b64encode(sample).decode()}, {"seed": 2}], "steps": 2}
    explorer.shows("#walk .view", explorer.answer("/interpolate", body)[:, :28])
