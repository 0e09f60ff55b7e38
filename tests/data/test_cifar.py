import io
import os
import tarfile
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.shared import CIFAR_FILES, cifar_archive, cifar_records, damaged
from tests.ops.shared import refusal
from whygrad.data.cifar import CLASSES, read_archive, read_cifar
from whygrad.data.named import NAMED
from whygrad.errors import DataError, FileError


def test_a_record_is_a_label_and_three_planes(tmp_path):
    content, labels, images = cifar_records(6, 0)
    (tmp_path / "a.bin").write_bytes(content)
    batch = read_cifar(tmp_path / "a.bin")
    np.testing.assert_array_equal(batch.labels, labels)
    np.testing.assert_array_equal(batch.images, images)
    assert batch.images.dtype == np.uint8


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "expected records of 3073 bytes, received 0 bytes"),
        (bytes(3072), "expected records of 3073 bytes, received 3072 bytes"),
        (bytes(3073) + bytes([10]) + bytes(3072), "expected labels from 0 to 9, received 10 in record 1"),
    ],
)
def test_other_files_are_refused_with_their_name(tmp_path, content, text):
    (tmp_path / "a.bin").write_bytes(content)
    with refusal(FileError, f"a.bin: {text}; fetch the binary version of CIFAR-10 again"):
        read_cifar(tmp_path / "a.bin")


@pytest.mark.parametrize("form", ["archive", "folder", "files"])
def test_the_data_set_is_read_from_its_archive_and_unpacked(tmp_path, form):
    made = {name: cifar_records(4, i) for i, name in enumerate(CIFAR_FILES)}
    if form == "archive":
        content = cifar_archive({name: each[0] for name, each in made.items()})
        (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)
    else:
        home = tmp_path / "cifar-10-batches-bin" if form == "folder" else tmp_path
        home.mkdir(exist_ok=True)
        for name, each in made.items():
            (home / name).write_bytes(each[0])
    train, test = NAMED["cifar10"].load(tmp_path)
    assert train.classes == test.classes == CLASSES
    assert train.image_shape == (3, 32, 32)
    assert (len(train.labels), len(test.labels)) == (20, 4)
    np.testing.assert_array_equal(train.labels, np.concatenate([made[name][1] for name in CIFAR_FILES[:5]]))
    np.testing.assert_allclose(train.images[3], made["data_batch_1.bin"][2][3] / 255, rtol=1e-6)
    np.testing.assert_array_equal(test.labels, made["test_batch.bin"][1])


def test_an_archive_without_a_batch_is_refused(tmp_path):
    content = cifar_archive({name: cifar_records(2, 0)[0] for name in CIFAR_FILES[1:]})
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)
    with refusal(DataError, "expected all six batches, received none called data_batch_1.bin; fetch the archive"):
        NAMED["cifar10"].load(tmp_path)


def test_links_and_other_members_of_an_archive_are_passed_over(tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        link = tarfile.TarInfo("data_batch_1.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        other = tarfile.TarInfo("../escape")
        other.size = 3
        archive.addfile(other, io.BytesIO(b"abc"))
    (tmp_path / "a.tar.gz").write_bytes(content.getvalue())
    assert read_archive(tmp_path / "a.tar.gz") == {}
    assert not (tmp_path.parent / "escape").exists()


def test_a_small_archive_cannot_unpack_to_a_large_one(tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo("zeros")
        member.size = 400 * 2**20
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    (tmp_path / "a.tar.gz").write_bytes(content.getvalue())
    del content
    tracemalloc.start()
    with refusal(FileError, "expected at most 268435456 bytes when unpacked, received more"):
        read_archive(tmp_path / "a.tar.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


RECORDS = cifar_records(2, 0)[0]
ARCHIVE = cifar_archive({"data_batch_1.bin": RECORDS, "test_batch.bin": RECORDS})


def survives(folder, seed, *, archived):
    path = folder / f"fuzzed-{os.getpid()}"
    path.write_bytes(damaged(ARCHIVE if archived else RECORDS, np.random.default_rng(seed)))
    try:
        batches = list(read_archive(path).values()) if archived else [read_cifar(path)]
    except FileError as error:
        assert str(path) in str(error)  # noqa: PT017 - both ways to end are looked at
        return False
    for batch in batches:
        assert len(batch.images) == len(batch.labels)
        assert batch.labels.max() < 10
    return True


@given(seed=st.integers(0, 2**32), archived=st.booleans())
def test_damaged_files_give_an_error_or_records(tmp_path_factory, seed, archived):
    survives(tmp_path_factory.getbasetemp(), seed, archived=archived)


@pytest.mark.slow
@pytest.mark.parametrize("archived", [False, True])
def test_ten_thousand_damaged_files_give_an_error_or_records(tmp_path, archived):
    refused = sum(not survives(tmp_path, seed, archived=archived) for seed in range(5000))
    assert refused > 2000
