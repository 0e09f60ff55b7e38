import gzip
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.shared import damaged, idx
from tests.ops.shared import refusal
from whygrad.data import read_idx
from whygrad.errors import FileError

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 5, 4)).astype(np.uint8)


@pytest.mark.parametrize("pack", [lambda content: content, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("shape", [(7, 5, 4), (3,), (0,), (2, 3, 5, 4), (0, 28, 28)])
def test_arrays_come_back_as_they_were_written(tmp_path, pack, shape):
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    (tmp_path / "a").write_bytes(pack(idx(array)))
    read = read_idx(tmp_path / "a")
    assert read.shape == shape
    np.testing.assert_array_equal(read, array)
    assert not read.flags.writeable


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "expected an IDX file, received an empty file"),
        (b"abc", "expected an IDX file, received one that begins with 61 62 63"),
        (b"\0\0\x08\0", "expected an IDX file, received one that begins with 00 00 08 00"),
        (b"\0\0\x08\x03\0\0", "expected a whole IDX header, received only part of one"),
        (idx(IMAGES, kind=13), "expected an IDX file of unsigned bytes, received one of floats"),
        (idx(IMAGES)[:-1], "expected 140 bytes for an array of shape (7, 5, 4), received only 139"),
        (idx(IMAGES) + b"x", "expected 140 bytes for an array of shape (7, 5, 4), received more"),
        (idx(IMAGES[0]), "expected an IDX file with 3 axes, received one with 2 axes"),
        (gzip.compress(idx(IMAGES))[:-9], "expected a whole IDX file, received Compressed file ended before"),
        (b"\x1f\x8bnonsense", "expected a whole IDX file, received"),
    ],
)
def test_damaged_files_are_refused_with_their_name(tmp_path, content, text):
    (tmp_path / "a-idx3").write_bytes(content)
    with refusal(FileError, f"a-idx3: {text}"):
        read_idx(tmp_path / "a-idx3", ndim=3)


@pytest.mark.parametrize("path", ["missing", "."])
def test_a_missing_file_and_a_folder_are_refused(tmp_path, path):
    with refusal(FileError, "expected a whole IDX file, received"):
        read_idx(tmp_path / path)


def test_a_claim_of_more_than_there_can_be_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "a").write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 2**31) + bytes(100))
    with refusal(FileError, "expected at most 4294967296 bytes, received a header that claims"):
        read_idx(tmp_path / "a")


def test_a_large_claim_takes_no_memory_and_a_small_one_bounds_what_is_unpacked(tmp_path):
    import tracemalloc

    (tmp_path / "claim").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 2**32 - 1) + bytes(1000))
    bomb = struct.pack(">BBBBI", 0, 0, 8, 1, 10) + bytes(200 * 2**20)
    (tmp_path / "bomb").write_bytes(gzip.compress(bomb, 1))
    for name in ("claim", "bomb"):
        tracemalloc.start()
        with pytest.raises(FileError):
            read_idx(tmp_path / name)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 * 2**20, name


def survives(tmp_path, content, seed, *, gzipped):
    """Read damaged content: the result must fit its own header, or a FileError must name the file."""
    rng = np.random.default_rng(seed)
    changed = damaged(content, rng)
    if gzipped and seed % 2:
        changed = gzip.compress(changed, 1)  # a whole archive of damaged contents
    path = tmp_path / f"fuzzed-{os.getpid()}"
    path.write_bytes(changed)
    try:
        array = read_idx(path)
    except FileError as error:
        assert str(path) in str(error)  # noqa: PT017 - both ways to end are looked at
        return False
    assert array.dtype == np.uint8
    assert array.size <= len(changed) * 1100
    return True


CONTENTS = {False: idx(IMAGES), True: gzip.compress(idx(IMAGES))}


@given(seed=st.integers(0, 2**32), gzipped=st.booleans())
def test_damaged_files_give_an_error_or_an_array(tmp_path_factory, seed, gzipped):
    content = idx(IMAGES) if gzipped and seed % 2 else CONTENTS[gzipped]
    survives(tmp_path_factory.getbasetemp(), content, seed, gzipped=gzipped)


@pytest.mark.slow
@pytest.mark.parametrize("gzipped", [False, True])
def test_ten_thousand_damaged_files_give_an_error_or_an_array(tmp_path, gzipped):
    refused = sum(
        not survives(tmp_path, idx(IMAGES) if gzipped and seed % 2 else CONTENTS[gzipped], seed, gzipped=gzipped)
        for seed in range(5000)
    )
    assert refused > 3000
