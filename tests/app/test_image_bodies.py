"""Images in requests: animations, bounds before anything is unpacked, and many in one request."""

import base64
import io
import struct
import zlib

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.errors import LimitExceeded
from app.images import Bounds, read_images
from tests.app.conftest import problem

MEDIA = {"webp-animation": "image/webp", "gif": "image/gif", "apng": "image/apng"}
PICTURES = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)
PNG = {"Content-Type": "image/png"}


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def text(file: bytes) -> str:
    return base64.b64encode(file).decode()


@pytest.mark.parametrize("form", MEDIA)
def test_an_animation_that_was_answered_is_encoded_frame_by_frame(
    client: httpx.Client, form: str
) -> None:
    walk = "/interpolate?seed=1&seed=2&steps=5"
    moving = client.get(f"{walk}&format={form}").content
    frames = client.get(f"{walk}&format=npy").content
    levels = np.rint(np.load(io.BytesIO(frames)) * 255).astype(np.uint8)
    alone = [
        client.post("/encode", content=png(frame[0]), headers=PNG).json()["mean"][0]
        for frame in levels
    ]
    body = client.post("/encode", content=moving, headers={"Content-Type": MEDIA[form]}).json()
    assert body["mean"] == alone
    listed = client.post("/encode", json={"images": [text(moving), text(png(levels[0, 0]))]})
    assert listed.json()["mean"] == [*alone, alone[0]]
    file = ("a", moving, MEDIA[form])
    assert client.post("/encode", files=[("images", file)]).json()["mean"] == alone


def test_a_point_is_one_image(client: httpx.Client) -> None:
    moving = client.get("/interpolate?seed=1&seed=2&steps=5&format=apng").content
    points = [{"image": text(png(PICTURES[0]))}, {"image": text(moving)}]
    detail = problem(client.post("/reconstruct?format=npy", json={"points": points}), 422)
    assert "image 1 has 5 frames, and one is wanted here" in detail


def test_images_among_points_keep_their_places(client: httpx.Client) -> None:
    images = [{"image": text(png(picture))} for picture in PICTURES]
    mixed = [{"seed": 1}, *images[:3], {"seed": 2}, *images[3:]]
    together = client.post("/locate", json={"points": mixed}).json()["latents"]
    alone = [
        client.post("/locate", json={"points": [point]}).json()["latents"][0] for point in mixed
    ]
    assert together == alone


def test_more_frames_or_pixels_than_allowed_are_refused_with_the_setting(
    tight_client: httpx.Client,
) -> None:
    frames = [Image.new("L", (8, 8), level) for level in range(9)]
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    answer = tight_client.post("/encode", content=file.getvalue(), headers=PNG)
    assert "9 images: one request may have at most 8" in problem(answer, 422)
    small = Bounds(max_rows=9, max_pixels=500)
    with pytest.raises(LimitExceeded, match=r"10 images: .* at most 9; .* LATENTD_MAX_ROWS"):
        read_images([png(PICTURES[0])] * 10, (1, 8, 8), bounds=small)
    with pytest.raises(LimitExceeded, match=r"8 images of together 512 .* LATENTD_MAX_PIXELS"):
        read_images([png(PICTURES[0])] * 8, (1, 8, 8), bounds=small)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize("depth", [1, 8, 16])
def test_an_image_of_another_size_is_refused_before_its_pixels_are_unpacked(depth: int) -> None:
    # What it unpacks to would be some 2 GiB.
    side = 30_000
    head = struct.pack(">IIBBBBB", side, side, depth, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    with pytest.raises(Exception, match="30000 × 30000 pixels; the model takes 8 × 8"):
        read_images([file], (1, 8, 8))
    webp = (
        b"VP8L" + struct.pack("<IB", 10, 0x2F) + struct.pack("<I", 16382 | 16382 << 14) + bytes(5)
    )
    whole = b"RIFF" + struct.pack("<I", 4 + len(webp)) + b"WEBP" + webp
    with pytest.raises(Exception, match="16383 × 16383 pixels"):
        read_images([whole], (1, 8, 8))
    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
    gif += b"," + struct.pack("<4HB", 0, 0, 65535, 65535, 0) + b"\2\0;"
    with pytest.raises(Exception, match="65535 × 65535 pixels"):
        read_images([gif], (1, 8, 8))
