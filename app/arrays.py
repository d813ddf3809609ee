"""The kinds of arrays that go through the service: NumPy everywhere, torch on the device alone."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# Latents, noise, data: [N, *shape].
Floats: TypeAlias = NDArray[np.float32]
FLOAT_BYTES = 4
# Images as pictures have them, 0 … 255: [N, H, W, C], or one [H, W, C].
Levels: TypeAlias = NDArray[np.uint8]
# What an operation answers: numbers, or images as levels.
Rows: TypeAlias = Floats | Levels
