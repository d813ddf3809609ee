"""The 1,797 handwritten digits of 8 × 8 pixels that come with scikit-learn; no download.

From E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI (1998).
"""

import torch

from training.datasets.dataset import Dataset, Request, scale_pixels, split


def load(request: Request) -> Dataset:
    """Grey images [1, 8, 8] of 17 levels, a part of them held out for testing."""
    # Imported where it is needed: it takes longer than all other modules together but torch.
    from sklearn.datasets import (  # type: ignore[import-untyped]  # noqa: PLC0415
        load_digits,
    )

    digits = load_digits()
    pixels = torch.from_numpy(digits.images).float() / 16.0  # [N, 8, 8]
    rows = split(scale_pixels(pixels, "digits")[:, None], request, "digits")
    labels = split(torch.from_numpy(digits.target).long(), request, "digits")
    return Dataset(
        name="scikit-learn digits",
        kind="image",
        train=rows.train,
        test=rows.test,
        test_labels=labels.test[:],
        train_labels=labels.train[:],
        kept=rows.kept,
    )
