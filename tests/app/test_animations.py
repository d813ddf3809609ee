"""Animations as Pillow, which did not write them, reads them: frames, timing, repeats, limits."""

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.arrays import Levels
from app.formats import ANIMATIONS, FORMATS, Answer, Head
from app.layout import Motion, Sheet
from tests.app.conftest import picture, problem
from tests.app.odd_models import images, publish_odd
from tests.serving import running

# Milliseconds that a format counts in; APNG has fractions.
UNIT = {"gif": 10, "webp-animation": 1, "apng": 0.001}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class Film(NamedTuple):
    """An animation, read."""

    frames: NDArray[np.uint8]  # [N, H, W, C]
    durations: list[float]  # in milliseconds
    loop: int | None  # as the file has it


def read(file: bytes, channels: int = 1) -> Film:
    image = Image.open(io.BytesIO(file))
    frames, durations = [], []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        durations.append(image.info["duration"])
        frames.append(np.asarray(image.convert(MODES[channels])))
    levels = np.stack(frames).reshape(len(frames), image.height, image.width, channels)
    return Film(levels, durations, image.info.get("loop"))


def written(name: str, rows: Levels, motion: Motion | None = None, scale: int = 1) -> bytes:
    count, *shape = rows.shape
    head = Head("grey@1", (1,), count, tuple(shape), Sheet(1, scale), motion or Motion())
    return b"".join(FORMATS[name].write(Answer(head, rows)))


def noise(count: int, channels: int, *, height: int = 9, width: int = 14) -> Levels:
    """Images of many levels, at most 255 colours each."""
    return np.random.default_rng(channels).integers(
        0, 256, (count, height, width, channels), np.uint8
    )


def order(count: int) -> list[int]:
    """There and back by hand."""
    return [0] if count == 1 else [*range(count), *range(count - 2, 0, -1)]


@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize("name", ANIMATIONS)
def test_every_frame_is_its_row(name: str, channels: int) -> None:
    rows = noise(7, channels)
    if channels == 4:
        rows[..., 3] = 255 * (rows[..., 3] > 99)  # there or not, as a GIF has it
        rows *= rows[..., 3:] > 0
    for scale in (1, 3):
        frames = read(written(name, rows, scale=scale), channels).frames
        shown = frames * (frames[..., 3:] > 0) if channels == 4 else frames
        assert np.array_equal(shown, rows.repeat(scale, 1).repeat(scale, 2))


@pytest.mark.parametrize("name", sorted({*ANIMATIONS} - {"gif"}))
def test_transparency_is_kept_in_steps(name: str) -> None:
    rows = noise(3, 4)
    rows[..., 3] |= 1  # Pillow composes wholly transparent pixels
    assert np.array_equal(read(written(name, rows), 4).frames, rows)


@pytest.mark.parametrize("fps", [1, 7, 12, 24, 30, 50])
@pytest.mark.parametrize("name", ANIMATIONS)
def test_frames_stand_as_long_as_was_asked(name: str, fps: int) -> None:
    film = read(written(name, noise(30, 1), Motion(fps)))
    assert len(film.durations) == 30
    assert max(abs(duration - 1000 / fps) for duration in film.durations) <= UNIT[name]
    # Rounding does not add up.
    assert abs(sum(film.durations) - 30_000 / fps) <= UNIT[name]
    # Browsers take less for 100 ms.
    assert min(film.durations) >= 20


@pytest.mark.parametrize("repeats", [0, 1, 2, 65_535])
@pytest.mark.parametrize("name", ANIMATIONS)
def test_it_is_played_as_often_as_was_asked(name: str, repeats: int) -> None:
    loop = read(written(name, noise(3, 1), Motion(repeats=repeats))).loop
    if name != "gif":
        assert loop == repeats
    else:
        # A GIF says how often it is played again; one that says nothing is played once.
        assert loop == {0: 0, 1: None}.get(repeats, repeats - 1)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("name", ANIMATIONS)
def test_pingpong_goes_there_and_back_without_doubled_ends(name: str, count: int) -> None:
    rows = noise(count, 1)
    film = read(written(name, rows, Motion(pingpong=True)))
    assert np.array_equal(film.frames, rows[order(count)])
    assert abs(sum(film.durations) - len(order(count)) * 1000 / 12) <= UNIT[name]


@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize("name", ANIMATIONS)
def test_equal_frames_stay_frames(name: str, channels: int) -> None:
    """Neither left out nor merged, at the start, in the middle, at the end, or all of them."""
    first, second = noise(2, channels) | 1
    if channels == 4:
        first[..., 3] = second[..., 3] = 255
    for rows in ([first] * 5, [first, first, second, second, second, first, first]):
        film = read(written(name, np.stack(rows), Motion(10)), channels)
        assert np.array_equal(film.frames, rows)
        assert film.durations == [100] * len(rows)


def spread(frames: NDArray[np.uint8], rows: Levels) -> tuple[float, float]:
    """The mean and the largest distance in levels."""
    distances = np.abs(frames.astype(float) - rows)
    return float(distances.mean()), float(distances.max())


def test_a_gif_of_more_colours_than_it_can_have_is_near() -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 48), np.linspace(0, 1, 48))
    colours = np.stack([x, y, 1 - x * y], -1) * np.linspace(255, 90, 5)[:, None, None, None]
    rows = np.rint(colours).astype(np.uint8)
    assert len(np.unique(rows[0].reshape(-1, 3), axis=0)) > 2000
    mean, largest = spread(read(written("gif", rows), 3).frames, rows)
    assert mean < 6
    assert largest < 40


def test_a_gif_keeps_what_is_grey_grey() -> None:
    """All 256 levels, of a grey model and of a colour model that draws in grey."""
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    rows = np.concatenate([grey, grey[:, ::-1], grey // 16 * 17])
    assert np.array_equal(read(written("gif", rows)).frames, rows)
    coloured = rows.repeat(3, -1)
    assert np.array_equal(read(written("gif", coloured), 3).frames, coloured)


@pytest.mark.parametrize("name", [*ANIMATIONS, "webp", "sprite"])
def test_equal_questions_give_equal_bytes(client: httpx.Client, name: str) -> None:
    url = f"/models/colour/interpolate?seed=1&seed=2&steps=5&format={name}"
    first, second = client.get(url), client.get(url.replace("5", "05"))
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert first.headers["ETag"] == second.headers["ETag"]


@pytest.mark.parametrize(("model", "channels"), [("grey", 1), ("colour", 3)])
@pytest.mark.parametrize("name", ANIMATIONS)
def test_a_walk_moves_through_the_frames_of_its_strip(
    client: httpx.Client, name: str, model: str, channels: int
) -> None:
    url = f"/models/{model}/interpolate?seed=1&seed=2&steps=6"
    strip = picture(client.get(f"{url}&scale=2")).reshape(16, 6, 16, channels)
    answer = client.get(f"{url}&scale=2&format={name}&fps=5&repeats=2&pingpong=true")
    assert answer.status_code == 200
    film = read(answer.content, channels)
    assert np.array_equal(film.frames, strip.transpose(1, 0, 2, 3)[order(6)])
    assert len(np.unique(film.frames[:6].reshape(6, -1), axis=0)) == 6
    assert film.durations == [200] * 10
    assert film.loop == (1 if name == "gif" else 2)


@pytest.mark.parametrize("name", ANIMATIONS)
def test_one_row_is_an_animation_too(client: httpx.Client, name: str) -> None:
    film = read(client.get(f"/sample?seed=1&format={name}&pingpong=1").content)
    assert np.array_equal(film.frames[..., 0], [picture(client.get("/sample?seed=1"))])
    latents = {"latents": [[0.5] * 5]}
    assert len(read(client.post(f"/decode?format={name}", json=latents).content).frames) == 1


@pytest.mark.parametrize("name", ANIMATIONS)
def test_a_layout_means_nothing_to_frames(client: httpx.Client, name: str) -> None:
    url = f"/sample?n=4&seed=1&format={name}"
    plain = client.get(url).content
    for layout in ("layout=strip", "layout=grid&columns=4"):
        assert client.get(f"{url}&{layout}").content == plain


def test_the_etag_covers_how_it_moves(client: httpx.Client) -> None:
    url = "/sample?n=2&seed=1&format=gif"
    forms = ["", "&fps=11", "&repeats=1", "&pingpong=true"]
    tags = {client.get(url + form).headers["ETag"] for form in forms}
    assert len(tags) == len(forms)
    assert client.get(f"{url}&fps=12&pingpong=no").headers["ETag"] in tags


@pytest.mark.parametrize("field", ["fps=24", "repeats=1", "pingpong=true"])
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ANIMATIONS])
def test_what_does_not_move_refuses_to(client: httpx.Client, name: str, field: str) -> None:
    detail = problem(client.get(f"/sample?seed=1&format={name}&{field}"), 422)
    assert name in detail
    assert "|".join(ANIMATIONS) in detail
    assert client.get(f"/sample?seed=1&format={name}&fps=12").status_code == 200


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("fps=0", ["fps: 0 given", "greater than or equal to 1"]),
        ("fps=51", ["fps: 51 given", "less than or equal to 50"]),
        ("fps=1000", ["fps: 1000 given", "50"]),
        ("fps=2.5", ["fps: 2.5 given", "integer"]),
        ("repeats=-1", ["repeats: -1 given", "greater than or equal to 0"]),
        ("repeats=65536", ["repeats: 65536 given", "65535"]),
        ("pingpong=perhaps", ["pingpong: perhaps given", "boolean"]),
        ("loop=1", ["loop", "no such parameter"]),
    ],
)
@pytest.mark.parametrize("name", ANIMATIONS)
def test_a_bad_question_names_value_limit_and_remedy(
    client: httpx.Client, name: str, query: str, words: Sequence[str]
) -> None:
    detail = problem(client.get(f"/sample?n=2&format={name}&{query}"), 422)
    for word in words:
        assert word in detail, detail


@pytest.mark.parametrize("name", ANIMATIONS)
def test_the_pixels_of_all_frames_count(tight_client: httpx.Client, name: str) -> None:
    url = f"/interpolate?seed=1&seed=2&format={name}"
    assert tight_client.get(f"{url}&steps=6").status_code == 200
    for more in ("steps=6&pingpong=true", "steps=3&scale=2"):
        detail = problem(tight_client.get(f"{url}&{more}"), 422)
        assert "at most 600" in detail
        assert "LATENTD_MAX_PIXELS" in detail


@pytest.fixture(scope="module")
def odd_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service of images of two channels, and of others in which pixels are hardly limited."""
    store = tmp_path_factory.mktemp("odd") / "store"
    store.mkdir()
    publish_odd(store, "two", images(2, 8, 8))
    publish_odd(store, "grey", images(1, 8, 8))
    with running(store, models="two,grey", max_pixels=10**9) as client:
        yield client


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.draws])
def test_images_of_two_channels_have_no_picture(odd_client: httpx.Client, name: str) -> None:
    detail = problem(odd_client.get(f"/sample?n=2&format={name}"), 406)
    assert "2 channels" in detail
    assert "npy" in detail


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("n=400&scale=64&format=sprite", ["10240 × 10240 pixels", "at most 8192 a side"]),
        ("n=40&scale=64&format=webp&layout=strip", ["20480 × 512 pixels", "at most 16383 a side"]),
    ],
)
def test_a_picture_larger_than_its_format_is_refused(
    odd_client: httpx.Client, query: str, words: Sequence[str]
) -> None:
    detail = problem(odd_client.get(f"/models/grey/sample?{query}"), 422)
    for word in (*words, "smaller scale", "format=png"):
        assert word in detail, detail
    # As frames, each is small.
    moving = "n=40&scale=64&format=webp-animation"
    assert odd_client.get(f"/models/grey/sample?{moving}").status_code == 200
