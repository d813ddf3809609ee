"""Image files to arrays, the same for training and for the service.

    bytes ──▶ png, jpeg, webp, gif ──▶ Container ──▶ decoding ──▶ uint8 [H, W, C], a frame each

A file is first walked by its own format's rules: what is no picture (texts, profiles, thumbnails,
what stands behind the end) is dropped unread, and size and number of frames are known before one
pixel is unpacked. Knows bytes, arrays and the decoders, and nothing of models, HTTP or data sets.
"""

from image_files.container import Container
from image_files.decoding import MODES, Ground, Levels, frames, has_colour
from image_files.errors import DamagedImage, ImageFileError, UnknownFormat
from image_files.formats import open_image

__all__ = [
    "MODES",
    "Container",
    "DamagedImage",
    "Ground",
    "ImageFileError",
    "Levels",
    "UnknownFormat",
    "frames",
    "has_colour",
    "open_image",
]
