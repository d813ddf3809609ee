"""The pad and the sliders: drawings are prepared as MNIST was, answers are the service's."""

from base64 import b64encode

import numpy as np

from tests.app.processes import until
from tests.explorer.conftest import Explorer, Pixels, png

GIVEN = ".drawing figure >> nth=0 >> canvas"
AGAIN = ".drawing figure >> nth=1 >> canvas"
SEVEN = ((0.1, 0.1), (0.35, 0.1), (0.2, 0.5))  # small, and in a corner
# Counts requests, and how many of them were under way at once.
COUNTING = """() => {
  const fetch = window.fetch;
  let flying = 0;
  [window.asked, window.most] = [0, 0];
  window.fetch = (...request) => {
    window.asked++;
    window.most = Math.max(window.most, ++flying);
    return fetch(...request).finally(() => flying--);
  };
}"""
PASTE = """([data, kind]) => {
  const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([bytes], "pasted", { type: kind }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
}"""


def reconstruction(explorer: Explorer, given: Pixels, model: str = "mnist") -> Pixels:
    """What the service makes of a picture by /encode and /decode."""
    image = b64encode(png(given)).decode()
    at = f"/models/{model}"
    encoded = explorer.client.post(f"{at}/encode", json={"images": [image]}).json()
    return explorer.answer(f"{at}/decode", {"latents": encoded["latents"]})


def test_a_drawing_is_centred_as_mnist_is_and_reconstructed(explorer: Explorer) -> None:
    explorer.draw(*SEVEN)
    given = explorer.pixels(GIVEN)[..., 0].astype(float)
    assert given.shape == (28, 28)
    rows, columns = np.nonzero(given > 25)
    assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
    place = np.arange(28) + 0.5
    assert abs((given.sum(1) @ place) / given.sum() - 14) < 0.5
    assert abs((given.sum(0) @ place) / given.sum() - 14) < 0.5
    assert len(np.unique(given)) > 20  # smooth at its edges
    explorer.shows(AGAIN, reconstruction(explorer, explorer.pixels(GIVEN)))


def test_strokes_are_undone_one_by_one_and_cleared(explorer: Explorer) -> None:
    explorer.draw(*SEVEN)
    one = explorer.pixels(GIVEN)
    explorer.draw((0.6, 0.6), (0.9, 0.9))
    assert not np.array_equal(explorer.pixels(GIVEN), one)
    explorer.page.get_by_role("button", name="Undo").click()
    explorer.shows(GIVEN, one)
    explorer.page.get_by_role("button", name="Invert").click()
    explorer.shows(GIVEN, 255 - one)
    explorer.page.get_by_role("button", name="Clear").click()
    explorer.page.locator(".drawing figure canvas.empty").nth(1).wait_for()
    assert "drawing=" not in explorer.view()


def test_an_empty_pad_is_said_and_the_next_drawing_works(explorer: Explorer) -> None:
    section = explorer.page.locator("#drawing")
    for name in ("Walk to seed 1", "Vary its latents", "to Corner 1"):
        section.get_by_role("button", name=name).click()
        explorer.fault_of("drawing", "pad is empty")
        explorer.draw(*SEVEN)
        section.locator(".request").wait_for()
        assert section.get_by_role("alert").inner_text() == ""
        section.get_by_role("button", name="Clear").click()
        section.locator(".request").wait_for(state="hidden")


def test_a_drawing_is_walked_to_the_chosen_sample_and_varied(explorer: Explorer) -> None:
    explorer.page.locator(".sheet img").nth(6).click()
    explorer.draw(*SEVEN)
    explorer.page.locator("#drawing .request").wait_for()
    explorer.page.get_by_role("button", name="Walk to seed 7").click()
    again = explorer.pixels(AGAIN)
    explorer.shows("#walk .view", again)
    explorer.page.locator("#walk input[type=range]").press("End")
    explorer.shows("#walk .view", explorer.answer("/sample?seed=7"))
    explorer.page.get_by_role("button", name="Vary its latents").click()
    explorer.shows("#latents .view", again)


def test_any_picture_can_be_dragged_on(explorer: Explorer) -> None:
    explorer.page.set_viewport_size({"width": 1100, "height": 3000})
    explorer.draw(*SEVEN)
    again = explorer.pixels(AGAIN)
    start, _, _, end = explorer.page.locator(".slot canvas").all()
    explorer.page.locator(AGAIN).drag_to(end)
    explorer.shows(".slot >> nth=3 >> canvas", again)
    end.drag_to(start)
    explorer.shows(".slot >> nth=0 >> canvas", again)
    explorer.page.locator("#latents .view").drag_to(end)
    explorer.shows(".slot >> nth=3 >> canvas", explorer.pixels("#latents .view"))
    explorer.page.locator("#walk .view").drag_to(explorer.page.locator(".pad"))
    explorer.shows(GIVEN, explorer.pixels("#walk .view"))


def test_the_pad_is_drawn_on_by_keys(explorer: Explorer) -> None:
    explorer.page.locator(".pad").focus()
    keys = ["Space"] + 9 * ["ArrowDown"] + ["Space"] + 5 * ["ArrowLeft"]
    for key in keys:
        explorer.page.keyboard.press(key)
    explorer.settle()
    rows, columns = np.nonzero(explorer.pixels(GIVEN)[..., 0] > 25)
    assert np.ptp(rows) > 3 * np.ptp(columns)
    explorer.page.keyboard.press("Backspace")
    until(lambda: "drawing=" not in explorer.view(), lambda: "the stroke is still there")


def test_ones_own_picture_is_cropped_and_resized(explorer: Explorer) -> None:
    photo = np.zeros((60, 120, 3), np.uint8)
    photo[:, 30:60] = (255, 0, 0)
    photo[:, 60:90] = 255
    file = explorer.page.locator("input[type=file]")
    file.set_input_files({"name": "photo.png", "mimeType": "image/png", "buffer": png(photo)})
    luma = np.zeros((28, 28, 3), np.uint8)
    luma[:, :14], luma[:, 14:] = 76, 255
    until(lambda: explorer.pixels(GIVEN).any(), lambda: "nothing is given")
    given = explorer.pixels(GIVEN)
    inner = [*range(1, 12), *range(16, 27)]  # edges are smooth
    assert np.abs(given.astype(int) - luma)[:, inner].max() <= 1
    explorer.shows(AGAIN, reconstruction(explorer, given))
    file.set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    explorer.fault_of("drawing", "notes.txt is not a picture")
    own = explorer.answer("/sample?seed=12")
    explorer.page.evaluate(PASTE, [b64encode(png(own)).decode(), "image/png"])
    explorer.shows(GIVEN, own)


def test_a_sample_dragged_onto_the_pad_is_given_as_it_is(explorer: Explorer) -> None:
    # High enough for the whole page: what is dragged cannot scroll.
    explorer.page.set_viewport_size({"width": 1100, "height": 3000})
    explorer.page.locator(".sheet img").nth(4).drag_to(explorer.page.locator(".pad"))
    explorer.shows(GIVEN, explorer.answer("/sample?seed=5"))
    explorer.draw((0.5, 0.5), (0.9, 0.5))
    assert explorer.pixels(GIVEN)[14, 14:24, 0].min() > 200


def test_a_slider_varies_one_latent(explorer: Explorer) -> None:
    before = explorer.answer("/sample?seed=1")
    explorer.shows("#latents .view", before)
    located = explorer.client.post("/locate", json={"points": [{"seed": 1}]}).json()
    latents = located["latents"]
    explorer.page.get_by_role("slider", name="z27", exact=True).fill("2.5")
    latents[0][27] = 2.5
    explorer.shows("#latents .view", explorer.answer("/decode", {"latents": latents}))
    explorer.page.get_by_role("button", name="Latents after these").click()
    explorer.page.get_by_role("slider", name="z15", exact=True).fill("-3")
    latents[0][15] = -3
    varied = explorer.answer("/decode", {"latents": latents})
    explorer.shows("#latents .view", varied)
    explorer.page.locator("#latents").get_by_role("button", name="to End").click()
    explorer.page.locator("#walk input[type=range]").press("End")
    explorer.shows("#walk .view", varied)
    explorer.page.get_by_role("button", name="Reset").click()
    explorer.shows("#latents .view", before)


def test_the_sliders_are_in_the_order_of_what_they_tell(explorer: Explorer) -> None:
    asked = {"point": {"seed": 5}, "strongest": 32}
    told = explorer.client.post("/traverse", json=asked).headers["X-Latentd-Dimensions"]
    names = [f"z{number}" for number in told.split(", ")]
    sliders = explorer.page.locator("#latents .latent span:first-child")
    assert sliders.all_inner_texts() == names[:8]
    for _ in range(3):
        explorer.page.get_by_role("button", name="Latents after these").click()
    assert sliders.all_inner_texts() == names[24:]
    assert "25 – 32 of 32" in explorer.page.locator("#latents").inner_text()
    assert "The strongest first; all are in use." in explorer.page.locator("#latents").inner_text()


def test_of_many_moves_of_a_slider_the_last_one_counts_one_request_at_a_time(
    explorer: Explorer,
) -> None:
    explorer.page.evaluate(COUNTING)
    explorer.page.get_by_role("slider", name="z27", exact=True).evaluate(
        """slider => {
          for (let value = -40; value <= 40; value++) {
            slider.value = value / 10;
            slider.dispatchEvent(new Event("input"));
          }
        }"""
    )
    line = explorer.page.locator("#latents code")
    until(lambda: ",4," in line.inner_text(), lambda: "the last value is not shown")
    assert "varied=27:4" in explorer.view()
    assert explorer.page.evaluate("[window.asked, window.most]") == [2, 1]
