"""Sheets of pictures for people: draws of the prior, and images above their reconstructions."""

from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from training.datasets.rows import Rows
from training.streams import stream
from training.vae import VAE

SAMPLES = 64
RECONSTRUCTIONS = 32
COLUMNS = 8
GAP = 1  # pixels between images, before enlarging
SHEET_WIDTH = 512  # pixels, about


@torch.no_grad()
def sheets(vae: VAE, test: Rows, seed: int, device: torch.device) -> dict[str, Tensor]:
    """Bytes [C, H, W] by name: 64 draws of the prior, always from the same noise, and the first
    test images [N, C, H, W], each row of them above its reconstructions."""
    originals = test[:RECONSTRUCTIONS].to(device)
    mean = vae.encode(originals)[0]
    noise = torch.randn(SAMPLES, mean.shape[1], generator=stream(seed, "samples", 0))
    pairs = originals_over_reconstructions(originals, vae.decode(mean))
    return {
        "samples": contact_sheet(vae.decode(vae.prior(noise.to(device)))),
        "reconstructions": contact_sheet(pairs),
    }


def contact_sheet(images: Tensor) -> Tensor:
    """Images [N, C, h, w] in [0, 1], C being 1 or 3, row by row, enlarged: bytes [C, H, W]."""
    count, channels, height, width = images.shape
    columns, rows = min(COLUMNS, count), -(-count // COLUMNS)
    sheet = torch.full((channels, rows * (height + GAP) + GAP, columns * (width + GAP) + GAP), 0.5)
    for index, image in enumerate(images.cpu()):
        top = GAP + (index // columns) * (height + GAP)
        left = GAP + (index % columns) * (width + GAP)
        sheet[:, top : top + height, left : left + width] = image
    scale = max(1, round(SHEET_WIDTH / sheet.shape[2]))
    pixels = (sheet * 255).round().byte()
    return pixels.repeat_interleave(scale, 1).repeat_interleave(scale, 2)


def originals_over_reconstructions(originals: Tensor, reconstructions: Tensor) -> Tensor:
    """The two interleaved so that a contact sheet shows each row of originals above its own."""
    pairs = zip(torch.split(originals, COLUMNS), torch.split(reconstructions, COLUMNS), strict=True)
    return torch.cat([rows for pair in pairs for rows in pair])


def png(sheet: Tensor) -> bytes:
    """Bytes [C, H, W] as a PNG file."""
    content = BytesIO()
    # Pillow wants [H, W] for grey and [H, W, 3] for colour.
    Image.fromarray(sheet.movedim(0, 2).squeeze(2).numpy()).save(content, "PNG")
    return content.getvalue()
