"""Data sets, images from files, and batches."""

from whygrad.data.augment import AUGMENTATIONS, Augment, augmentation
from whygrad.data.batches import ahead, in_parts
from whygrad.data.dataset import Dataset, Parts, check_data, split
from whygrad.data.digits import load_digits
from whygrad.data.folder import FolderImages, Known, Progress
from whygrad.data.gallery import Gallery, gallery
from whygrad.data.idx import read_idx
from whygrad.data.images import looks_inverted, read_images
from whygrad.data.named import NAMED, Named, cache_folder
from whygrad.data.pictures import COLOURS, FITS
from whygrad.data.registry import DATASETS, Loaded, Request, load_dataset, load_parts
from whygrad.data.sources import Images, Normalised, Pixels, Source, moments, normalise

__all__ = [
    "AUGMENTATIONS",
    "COLOURS",
    "DATASETS",
    "FITS",
    "NAMED",
    "Augment",
    "Dataset",
    "FolderImages",
    "Gallery",
    "Images",
    "Known",
    "Loaded",
    "Named",
    "Normalised",
    "Parts",
    "Pixels",
    "Progress",
    "Request",
    "Source",
    "ahead",
    "augmentation",
    "cache_folder",
    "check_data",
    "gallery",
    "in_parts",
    "load_dataset",
    "load_digits",
    "load_parts",
    "looks_inverted",
    "moments",
    "normalise",
    "read_idx",
    "read_images",
    "split",
]
