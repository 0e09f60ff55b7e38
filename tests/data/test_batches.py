import threading
import time

import numpy as np
import pytest

from whygrad.data import Normalised, Pixels, ahead, in_parts, moments
from whygrad.data.dataset import Dataset
from whygrad.data.sources import Selected, select

BYTES = np.random.default_rng(0).integers(0, 256, (23, 2, 4, 3)).astype(np.uint8)


def test_results_come_in_order_whoever_is_quicker():
    def job(i):
        def run():
            time.sleep(0.002 * (i % 3))
            return np.array(i)

        return run

    assert [int(x) for x in ahead((job(i) for i in range(30)), threads=4)] == list(range(30))


def test_only_a_few_jobs_are_begun_before_they_are_wanted():
    begun = []

    def jobs():
        for i in range(1000):
            begun.append(i)
            yield lambda i=i: np.array(i)

    results = ahead(jobs(), threads=3)
    next(results)
    time.sleep(0.05)
    assert len(begun) <= 2 * 3 + 1
    results.close()
    assert len(begun) <= 2 * 3 + 1


def test_an_error_comes_where_its_result_would_have_come():
    def fail():
        raise ValueError("third")

    results = ahead([lambda: np.array(1), lambda: np.array(2), fail, lambda: np.array(4)], threads=2)
    assert [int(next(results)), int(next(results))] == [1, 2]
    with pytest.raises(ValueError, match="third"):
        next(results)


def test_no_thread_is_left_behind():
    before = threading.active_count()
    results = ahead((lambda: np.zeros(1) for _ in range(100)), threads=4)
    next(results)
    assert threading.active_count() > before
    results.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("make", [lambda: BYTES / 255, lambda: Pixels(BYTES)], ids=["array", "source"])
def test_parts_are_the_images_in_order(make):
    parts = list(in_parts(make(), 5))
    assert [len(part) for part in parts] == [5, 5, 5, 5, 3]
    np.testing.assert_allclose(np.concatenate(parts), BYTES / 255, rtol=1e-6)
    assert [len(part) for part in in_parts(make()[:0], 5)] == [0]


@pytest.mark.parametrize("at", [3, -1, slice(2, 9), slice(None, None, -2), [4, 4, 0], np.array([1, 20])])
def test_sources_are_indexed_like_arrays(at):
    mean, deviation = np.array([0.2, 0.3]), np.array([0.5, 2.0])
    wanted = (BYTES / 255).astype(np.float32)
    order = np.random.default_rng(1).permutation(23)
    scaled = (wanted - mean[:, None, None]) / deviation[:, None, None]
    for source, array in (
        (Pixels(BYTES), wanted),
        (Selected(Pixels(BYTES), order), wanted[order]),
        (Normalised(Pixels(BYTES), mean, deviation), scaled),
        (Normalised(wanted, mean, deviation), scaled),
        (select(Normalised(Pixels(BYTES), mean, deviation), order), scaled[order]),
    ):
        np.testing.assert_allclose(source[at], array[at], rtol=1e-5, atol=1e-6)
        assert source[at].dtype == np.float32
        assert source.shape == array.shape


def test_moments_are_those_of_the_whole_whatever_is_read_at_once():
    for size in (4, 1000):
        mean, deviation = moments(Pixels(BYTES), batch_size=size)
        np.testing.assert_allclose(mean, (BYTES / 255).mean(axis=(0, 2, 3)))
        np.testing.assert_allclose(deviation, (BYTES / 255).std(axis=(0, 2, 3)))
    assert moments(np.full((3, 1, 2, 2), 0.1))[1].tolist() == [1.0]


def test_the_fingerprint_tells_images_labels_and_classes_apart():
    labels = np.arange(23) % 2
    data = Dataset("a", Pixels(BYTES), labels, ("x", "y"))
    other = BYTES.copy()
    other[22, 1, 3, 2] ^= 1
    prints = {
        data.fingerprint(),
        data._replace(images=Pixels(other)).fingerprint(),
        data._replace(labels=1 - labels).fingerprint(),
        data._replace(classes=("y", "x")).fingerprint(),
        data.take(np.arange(22)).fingerprint(),
    }
    assert len(prints) == 5
    assert data.fingerprint() == Dataset("b", Pixels(BYTES.copy()), labels.copy(), ("x", "y")).fingerprint()
