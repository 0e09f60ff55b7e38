"""Data sets, and images from files."""

from whygrad.data.dataset import Dataset, check_data, split
from whygrad.data.digits import load_digits
from whygrad.data.gallery import Gallery, gallery
from whygrad.data.images import looks_inverted, read_images
from whygrad.data.registry import DATASETS, load_dataset

__all__ = [
    "DATASETS",
    "Dataset",
    "Gallery",
    "check_data",
    "gallery",
    "load_dataset",
    "load_digits",
    "looks_inverted",
    "read_images",
    "split",
]
