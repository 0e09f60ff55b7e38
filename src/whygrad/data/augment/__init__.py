"""Augmentations: random changes that leave an image's class as it is, one file each."""

from whygrad.data.augment.crop import Crop
from whygrad.data.augment.cutout import Cutout
from whygrad.data.augment.flip import Flip
from whygrad.data.augment.pipeline import AUGMENTATIONS, Augment, augmentation, check_size
from whygrad.data.augment.rotate import Rotate
from whygrad.data.augment.sampling import sample
from whygrad.data.augment.shift import Shift
from whygrad.data.augment.transform import Transform

__all__ = [
    "AUGMENTATIONS",
    "Augment",
    "Crop",
    "Cutout",
    "Flip",
    "Rotate",
    "Shift",
    "Transform",
    "augmentation",
    "check_size",
    "sample",
]
