"""The embedded handwritten digits."""

from __future__ import annotations

from importlib import resources

import numpy as np

from whygrad.data.dataset import Dataset

#: The largest value that a pixel of the digits can have.
INK = 16


def load_digits() -> Dataset:
    """Return the 1797 handwritten digits that the package carries.

    Images (1797, 1, 8, 8), float32 from 0 (paper) to 1 (ink), and labels 0 to 9.

    Example:
        >>> digits = load_digits()
        >>> digits.images.shape, digits.labels[:5].tolist()
        ((1797, 1, 8, 8), [0, 1, 2, 3, 4])

    Source: E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits" (1998), UCI Machine Learning
    Repository, https://doi.org/10.24432/C50P49, CC BY 4.0.
    """
    with resources.files("whygrad.data").joinpath("digits.npz").open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        images, labels = archive["images"], archive["labels"]
    return Dataset(
        "digits",
        (images[:, None] / np.float32(INK)).astype(np.float32),
        labels.astype(np.int64),
        tuple(str(digit) for digit in range(10)),
    )
