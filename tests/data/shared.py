"""Files in the formats of the well-known data sets, small enough to be made in no time."""

import gzip
import io
import struct
import tarfile

import numpy as np

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CIFAR_FILES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")


def idx(array, kind=8):
    """Return an array of bytes in the IDX format."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def digits_like(count, seed):
    """Return images (N, 28, 28) and labels that can be learned: a bar whose place is the label."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    images = rng.integers(0, 60, (count, 28, 28)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4:24, 2 + 2 * label : 5 + 2 * label] = 250
    return images, labels.astype(np.uint8)


def write_idx_set(folder, train=200, test=50, *, gzipped=True):
    """Write the four files of a data set like MNIST, and return its arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = (*digits_like(train, 0), *digits_like(test, 1))
    for name, array in zip(IDX_FILES, arrays, strict=True):
        content = idx(array)
        path = folder / (f"{name}.gz" if gzipped else name)
        path.write_bytes(gzip.compress(content, 1) if gzipped else content)
    return arrays


def cifar_records(count, seed):
    """Return a file of CIFAR-10's binary version with its labels and images."""
    rng = np.random.default_rng(seed)
    records = rng.integers(0, 256, (count, 3073)).astype(np.uint8)
    records[:, 0] %= 10
    return records.tobytes(), records[:, 0].astype(np.int64), records[:, 1:].reshape(-1, 3, 32, 32)


def cifar_archive(files):
    """Return a .tar.gz of files by name."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def damaged(content, rng, most=4):
    """Return content with a few bytes changed, cut out or put in."""
    data = bytearray(content)
    for _ in range(rng.integers(1, most + 1)):
        at = int(rng.integers(0, max(len(data), 1)))
        match int(rng.integers(0, 4)):
            case 0:
                data[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 1:
                del data[at : at + int(rng.integers(1, 64))]
            case 2:
                data[at:at] = rng.integers(0, 256, int(rng.integers(1, 64))).astype(np.uint8).tobytes()
            case _:
                del data[at:]
    return bytes(data)
