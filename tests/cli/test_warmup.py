"""``whygrad warmup``; what it compiles is the affair of ``tests/kernels/test_cache.py``."""

import os
import subprocess
import sys

import pytest

PATCHED = """
import sys
from whygrad.kernels import ahead, cache
from whygrad.cli import main

job = ahead.Job("relu._forward", "float32")
ahead.all_jobs = lambda reals: [] if cache.is_ready(*job) else [job]
main(["warmup", *sys.argv[1:]])
"""


@pytest.fixture
def warmup(tmp_path):
    """Return a function that runs the command where only one kernel exists, with a cache of its own."""

    def run(*arguments, folder=tmp_path / "cache"):
        environment = os.environ | {"WHYGRAD_CACHE_DIR": str(folder), "NO_COLOR": "1"}
        command = [sys.executable, "-c", PATCHED, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def test_compiles_once_and_says_where(warmup, tmp_path):
    first, second = warmup(), warmup("--dtype", "float32")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("compiled 1 kernel in ")
    assert str(tmp_path / "cache") in first.stdout
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout.startswith("all were compiled; they are in ")


def test_without_a_folder_that_can_be_written_it_fails_with_a_remedy(warmup, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    done = warmup(folder=in_the_way)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("whygrad: warmup: expected a folder to keep compiled kernels in")
    assert "set WHYGRAD_CACHE_DIR" in last
    assert "Traceback" not in done.stderr


def test_an_unknown_float_type_is_wrong_usage(warmup):
    done = warmup("--dtype", "float16")
    assert done.returncode == 2
    assert "float16" in done.stderr
