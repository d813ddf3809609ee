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


def read(
    folder: Path, *size: int, channels: int | None = 1, held_out: float = 0.5, unreadable: float = 0
) -> Dataset:
    wanted = (size[0], size[1]) if size else None
    request = Request(folder, wanted, channels, held_out, unreadable=unreadable)
    return DATASETS["image_folder"](request)


def rows_of(data: Dataset) -> torch.Tensor:
    return torch.cat([data.train[:], data.test[:]])


def values(data: Dataset) -> list[float]:
    return sorted(set(rows_of(data).flatten().tolist()))


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(levels)


def truncated(path: Path) -> None:
    noise(64, 64).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


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
    torch.testing.assert_close(data.train[:][0, :, 5, 5], torch.tensor([1.0, 0.0, 0.0]))


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
    assert len(rows_of(read(tmp_path))) == 4


def class_of(row: torch.Tensor) -> str:
    return "dark" if float(row.mean()) < 0.5 else "light"


def in_classes(folder: Path, count: int) -> None:
    for number in range(count):
        for level, name in ((number, "dark/deep"), (255 - number, "light")):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), level).save(folder / name / f"{number}.png")


def test_subfolders_are_classes_that_follow_their_images(tmp_path: Path) -> None:
    in_classes(tmp_path, 9)
    data = read(tmp_path)
    assert data.classes == ("dark", "light")
    assert "2 classes, by their folders: dark, light" in data.notes
    assert data.train_labels is not None
    found = [data.classes[label] for label in data.train_labels.tolist()]
    assert found == [class_of(row) for row in data.train[:]]
    assert set(found) == {"dark", "light"}
    unlabelled = read(tmp_path / "dark").train_labels
    assert unlabelled is None  # one folder is no class


def test_an_image_in_no_subfolder_leaves_all_without_a_class(tmp_path: Path) -> None:
    in_classes(tmp_path, 3)
    noise(4, 4).save(tmp_path / "beside.png")
    data = read(tmp_path, 4, 4)
    assert (data.classes, data.train_labels) == ((), None)


def test_below_train_and_test_are_classes_too(tmp_path: Path) -> None:
    in_classes(tmp_path / "train", 3)
    in_classes(tmp_path / "test", 2)
    data = read(tmp_path)
    assert data.train_labels is not None
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_subfolders_train_and_test_are_the_split(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 1)):
        (tmp_path / part).mkdir()
        for number in range(count):
            Image.new("L", (4, 4)).save(tmp_path / part / f"{number}.png")
    data = read(tmp_path)
    assert (len(data.train), len(data.test)) == (3, 1)


def test_sizes_that_differ_become_a_square_that_is_said(tmp_path: Path) -> None:
    for number, (height, width) in enumerate([(40, 30), (23, 50), (90, 22)]):
        noise(height, width).save(tmp_path / f"{number}.png")
    data = read(tmp_path, channels=None)
    assert data.shape == (3, 20, 20)  # 23, down to a multiple of 4
    assert data.notes == (
        "size=20,20: images have 3 sizes; another with size=HEIGHT,WIDTH",
        "channels=3: 3 of 3 images have colours",
    )


def test_photographs_become_squares_of_64(tmp_path: Path) -> None:
    for number in range(2):
        noise(300, 400, number).save(tmp_path / f"{number}.jpg")
    assert read(tmp_path).shape == (1, 64, 64)


def test_one_size_that_all_have_is_kept_and_said(tmp_path: Path) -> None:
    for number in range(2):
        noise(9, 5, number).save(tmp_path / f"{number}.png")
    data = read(tmp_path)
    assert data.shape == (1, 9, 5)
    assert data.notes == ("size=9,5: that of all images",)
    assert not read(tmp_path, 9, 5).notes


@pytest.mark.parametrize("mode", GREY_OF_EACH_MODE)
def test_one_image_in_colour_makes_all_coloured_and_grey_modes_do_not(
    tmp_path: Path, mode: str
) -> None:
    suffix = "tif" if mode == "CMYK" else "png"
    for number in range(2):
        GREY_OF_EACH_MODE[mode].save(tmp_path / f"{number}.{suffix}")
    coloured_mode = mode in {"RGB", "RGBA", "CMYK"}
    assert read(tmp_path, channels=None).shape[0] == (3 if coloured_mode else 1)
    noise(7, 9).quantize(8).save(tmp_path / "colour.png")
    assert read(tmp_path, channels=None).shape[0] == 3


def held_out(folder: Path, fraction: float) -> set[bytes]:
    return {row.numpy().tobytes() for row in read(folder, held_out=fraction).test[:]}


def test_a_file_stays_on_its_side_when_others_come_and_when_it_is_renamed(tmp_path: Path) -> None:
    for number in range(40):
        noise(4, 4, number).save(tmp_path / f"{number}.png")
    before, digest = held_out(tmp_path, 0.3), read(tmp_path).digest()
    assert 3 < len(before) < 25
    for number in range(40):
        (tmp_path / f"{number}.png").rename(tmp_path / f"{99 - number}-.png")
    assert read(tmp_path).digest() == digest
    assert held_out(tmp_path, 0.3) == before
    for number in range(40, 80):
        noise(4, 4, number).save(tmp_path / f"{number}.png")
    after = held_out(tmp_path, 0.3)
    assert before < after


@pytest.mark.parametrize(("fraction", "tested"), [(1e-9, 1), (1 - 1e-9, 3)])
def test_each_side_gets_an_image_at_least(tmp_path: Path, fraction: float, tested: int) -> None:
    for number in range(4):
        noise(4, 4, number).save(tmp_path / f"{number}.png")
    data = read(tmp_path, held_out=fraction)
    assert (len(data.train), len(data.test)) == (4 - tested, tested)


def test_a_single_image_is_refused(tmp_path: Path) -> None:
    noise(4, 4).save(tmp_path / "0.png")
    with pytest.raises(DataError, match="1 image cannot be split: give at least 2"):
        read(tmp_path)


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image found; wanted a folder of images"):
        read(tmp_path)


def spoiled(folder: Path) -> None:
    """Eight images, and two files that are none."""
    for number in range(8):
        noise(4, 4, number).save(folder / f"{number}.png")
    truncated(folder / "half.png")
    (folder / "text.png").write_text("hello")


def test_what_cannot_be_read_is_left_out_up_to_a_part_and_named(tmp_path: Path) -> None:
    spoiled(tmp_path)
    data = read(tmp_path, 4, 4, unreadable=0.11)  # 1.1 of 10 files, rounded up
    assert len(rows_of(data)) == 8
    (note,) = data.notes
    assert note.startswith("2 of 10 files are left out: ")
    assert "half.png (not a readable image" in note
    assert "text.png (not a readable image" in note


def test_more_unreadable_files_than_allowed_are_refused_by_name(tmp_path: Path) -> None:
    spoiled(tmp_path)
    with pytest.raises(DataError, match=r"half\.png \(.*text\.png \(.*give unreadable=FRACTION"):
        read(tmp_path, unreadable=0.1)


def test_pixels_that_are_floats_are_refused(tmp_path: Path) -> None:
    Image.new("F", (4, 4), 7.0).save(tmp_path / "0.tif")
    with pytest.raises(DataError, match="floats, whose range is not known"):
        read(tmp_path)


def test_a_folder_without_one_readable_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_text("hello")
    with pytest.raises(
        DataError, match=r"1 of 1 files are left out: .*0\.png .*; that leaves none"
    ):
        read(tmp_path, unreadable=1)


def test_hidden_files_and_folders_named_like_images_are_left(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / ".hidden.png").write_text("not an image")
    for number in range(2):
        noise(4, 4, number).save(tmp_path / "folder.png" / f"{number}.png")
    assert len(rows_of(read(tmp_path))) == 2
