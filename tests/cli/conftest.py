"""The command line as a person meets it: in a process of its own, in an empty directory."""

import os
import subprocess
import sys

import pytest


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


@pytest.fixture
def environment():
    """Plain output, whatever terminal the tests run in."""
    return os.environ | {
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "PYTHONWARNINGS": "error::RuntimeWarning,error::ResourceWarning",
    }


@pytest.fixture
def whygrad(tmp_path, environment):
    """Return a function that runs ``whygrad`` with arguments and gives its exit code and both outputs."""

    def run(*arguments, cwd=tmp_path, timeout=120):
        command = [sys.executable, "-m", "whygrad", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        return Result(done)

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the directory of a short finished run."""
    path = tmp_path_factory.mktemp("trained") / "run"
    command = [sys.executable, "-m", "whygrad", "train", "--epochs", "4", "--out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path
