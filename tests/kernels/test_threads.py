"""Kernels and threads: how many, from several at once, after a fork."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.kernels.test_convolutions import passes

from whygrad import get_num_threads, set_num_threads
from whygrad.errors import OptionError
from whygrad.ops import conv2d

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(8, 16, 40, 40)).astype(np.float32), RNG.normal(size=(24, 16, 3, 3)).astype(np.float32)
DY = RNG.normal(size=(8, 24, 38, 38)).astype(np.float32)


@pytest.fixture(autouse=True)
def _same_number_of_threads_after():
    before = get_num_threads()
    yield
    set_num_threads(before)


def bits():
    return [a.tobytes() for a in passes(conv2d, [X, W], DY)]


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_same_bits_for_a_number_of_threads_whatever_the_machine_has(threads):
    set_num_threads(threads)
    first = bits()
    assert all(bits() == first for _ in range(3))


def test_another_number_of_threads_changes_last_bits_at_most():
    results = []
    for threads in (1, 4):
        set_num_threads(threads)
        results.append(passes(conv2d, [X, W], DY))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(a).max())


def test_calls_from_several_threads_at_once_give_what_they_give_alone():
    alone = bits()
    with ThreadPoolExecutor(8) as pool:
        assert all(result == alone for result in pool.map(lambda _: bits(), range(48)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_computes_the_same():
    code = (
        "import os, sys\n"
        "from tests.kernels.test_threads import bits\n"
        "first = bits()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(0 if bits() == first else 1)\n"
        "sys.exit(os.waitpid(child, 0)[1] or bits() != first)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def in_a_new_process(expression, **environment):
    code = f"import whygrad\nprint({expression})"
    given = {k: v for k, v in os.environ.items() if k != "WHYGRAD_NUM_THREADS"} | environment
    return subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=False)


def test_all_cores_unless_the_environment_says_otherwise():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert int(in_a_new_process("whygrad.get_num_threads()").stdout) == cores
    assert int(in_a_new_process("whygrad.get_num_threads()", WHYGRAD_NUM_THREADS="5").stdout) == 5


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "9999"])
def test_a_number_of_threads_that_is_none_is_refused(text):
    done = in_a_new_process("whygrad.get_num_threads()", WHYGRAD_NUM_THREADS=text)
    assert done.returncode
    assert "WHYGRAD_NUM_THREADS: expected a whole number from 1 to 1024" in done.stderr


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2", 5000])
def test_set_num_threads_refuses_what_is_no_number_of_threads(threads):
    with pytest.raises(OptionError, match="set_num_threads: expected threads"):
        set_num_threads(threads)
