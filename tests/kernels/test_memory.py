"""What compiled code reads and writes, and whose memory it is."""

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from whygrad.workspace import Workspace, empty

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected through mprotect")
def test_nothing_is_read_or_written_past_a_buffer():
    command = [sys.executable, "-m", "tests.kernels.guard_pages"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "untouched\n"), done.stderr[-3000:]


FLOAT = np.dtype(np.float32)


def address(array):
    return array.ctypes.data


def test_a_workspace_gives_memory_out_again_once_no_array_lies_in_it():
    with Workspace() as workspace:
        a = empty((300, 300), FLOAT)
        view = a[10:20].T
        first = address(a)
        b = empty((300, 300), FLOAT)
        assert address(b) != first
        del a
        assert address(empty((300, 300), FLOAT)) not in (first, address(b))  # the view still lies there
        del view
        gc.collect()
        assert address(empty((300, 300), FLOAT)) == first
    assert workspace.nbytes < 3 * 300 * 300 * 4 * 1.2


def test_a_workspace_aligns_and_gives_larger_pieces_out_but_no_much_larger_ones():
    with Workspace() as workspace:
        for size in (101_000, 100_001, 60_000):
            assert address(empty((size,), FLOAT)) % 64 == 0
        assert workspace.nbytes < 410_000
        empty((30_000,), FLOAT)
        assert workspace.nbytes > 510_000


def test_without_a_workspace_arrays_are_their_own():
    assert empty((300, 300), FLOAT).base is None


def test_workspaces_nest_and_end():
    with Workspace() as outer:
        with Workspace() as inner:
            empty((300, 300), FLOAT)
        empty((300, 300), FLOAT)
    assert inner.nbytes == outer.nbytes > 0
    assert empty((300, 300), FLOAT).base is None
