"""Folders of images of any mode and size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.datasets import DATASETS, Dataset, Request
from training.errors import DataError

GREY_OF_EACH_MODE = {
    "1": Image.new("1", (9, 7), 1),
    "L": Image.new("L", (9, 7), 255),
    "LA": Image.new("LA", (9, 7), (255, 255)),
    "P": Image.new("RGB", (9, 7), "white").quantize(2),
    "RGB": Image.new("RGB", (9, 7), "white"),
    "RGBA": Image.new("RGBA", (9, 7), (255, 255, 255, 255)),
    "CMYK": Image.new("CMYK", (9, 7), (0, 0, 0, 0)),
    "I;16": Image.fromarray(np.full((7, 9), 65535, np.uint16)),
}


def read(folder: Path, *size: int, channels: int = 1) -> Dataset:
    wanted = (size[0], size[1]) if size else None
    return DATASETS["image_folder"](Request(folder, wanted, channels, held_out=0.5))


def values(data: Dataset) -> list[float]:
    return sorted(set(data.train.flatten().tolist()))


@pytest.mark.parametrize("mode", GREY_OF_EACH_MODE)
@pytest.mark.parametrize("channels", [1, 3])
def test_white_is_white_in_every_mode(tmp_path: Path, mode: str, channels: int) -> None:
    for number in range(2):
        GREY_OF_EACH_MODE[mode].save(tmp_path / f"{number}.{'tif' if mode == 'CMYK' else 'png'}")
    data = read(tmp_path, channels=channels)
    assert data.shape == (channels, 7, 9)
    assert values(data) == [1.0]


def test_images_of_any_size_come_to_the_wanted_one(tmp_path: Path) -> None:
    for number, size in enumerate([(40, 30), (8, 50), (3, 3), (16, 12)]):
        Image.new("RGB", size, "red").save(tmp_path / f"{number}.png")
    data = read(tmp_path, 12, 16, channels=3)
    assert data.shape == (3, 12, 16)
    torch.testing.assert_close(data.train[0, :, 5, 5], torch.tensor([1.0, 0.0, 0.0]))


def test_what_is_cropped_is_the_margin_not_the_middle(tmp_path: Path) -> None:
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 255
    for number in range(2):
        Image.fromarray(wide).save(tmp_path / f"{number}.png")
    assert values(read(tmp_path, 10, 10)) == [1.0]


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    for number in range(2):
        Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / f"{number}.png")
    assert values(read(tmp_path)) == [1.0]


def test_pictures_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by a quarter
    for number in range(2):
        Image.new("L", (9, 5)).save(tmp_path / f"{number}.jpg", exif=exif)
    assert read(tmp_path).shape == (1, 9, 5)


def test_images_below_subfolders_are_found_and_other_files_left(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("not an image")
    for number in range(4):
        Image.new("L", (4, 4)).save(tmp_path / "a" / "b" / f"{number}.PNG", format="png")
    data = read(tmp_path)
    assert (len(data.train), len(data.test)) == (2, 2)


def test_subfolders_train_and_test_are_the_split(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 1)):
        (tmp_path / part).mkdir()
        for number in range(count):
            Image.new("L", (4, 4)).save(tmp_path / part / f"{number}.png")
    data = read(tmp_path)
    assert (len(data.train), len(data.test)) == (3, 1)


def test_differing_sizes_without_a_wanted_one_are_refused_with_the_key(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "0.png")
    Image.new("L", (5, 4)).save(tmp_path / "1.png")
    with pytest.raises(DataError, match=r"1\.png is 4 × 5 .* give size=HEIGHT,WIDTH"):
        read(tmp_path)


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image found; wanted a folder of images"):
        read(tmp_path)


def test_a_truncated_image_is_refused_by_name_rather_than_left_out(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(tmp_path / "0.png")
    whole = (tmp_path / "0.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"1\.png: not a readable image"):
        read(tmp_path)


def test_text_named_like_an_image_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_text("hello")
    with pytest.raises(DataError, match=r"0\.png: not a readable image"):
        read(tmp_path)


def test_pixels_that_are_floats_are_refused(tmp_path: Path) -> None:
    Image.new("F", (4, 4), 7.0).save(tmp_path / "0.tif")
    with pytest.raises(DataError, match="floats, whose range is not known"):
        read(tmp_path)
