"""sprite: a zip of all rows in one PNG, `sprite.png`, and where each lies in it, `index.json`.

As TensorBoard's embedding projector takes it (tensorboard.plugins.projector): row by row from the
top left, as many columns as rows, because its picking of points reckons with that, and no side
above MAX_SIDE. `projector_config.pbtxt` tells it so; the latents are whoever's who asks.
"""

from collections.abc import Sequence

import numpy as np

from app.formats import png
from app.formats.answer import Answer, Buffer
from app.formats.json import dump
from app.formats.zip import Archive
from app.layout import arrange

MAX_SIDE = 8192
CONFIG = b"""embeddings {
  tensor_path: "latents.tsv"
  sprite { image_path: "sprite.png" single_image_dim: %d single_image_dim: %d }
}
"""


def write(answer: Answer) -> Sequence[Buffer]:
    """The rows as a square sheet; places left over are black."""
    head, sheet = answer.head, answer.head.sheet or png.ONE
    height, width = (sheet.scale * side for side in answer.images.shape[1:3])
    left_over = sheet.columns**2 - head.num_rows
    images = np.pad(answer.images, [(0, left_over), (0, 0), (0, 0), (0, 0)])
    index = head.origin | {
        "columns": sheet.columns,
        "single_image_dim": [width, height],
        "images": [
            {"row": row, "x": row % sheet.columns * width, "y": row // sheet.columns * height}
            for row in range(head.num_rows)
        ],
    }
    archive = Archive()
    return (
        archive.entry(b"sprite.png", png.encode(arrange(images, sheet), png.label(head))),
        archive.entry(b"index.json", dump(index)),
        archive.entry(b"projector_config.pbtxt", CONFIG % (width, height)),
        archive.end(),
    )
