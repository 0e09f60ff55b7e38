"""Loading the worked examples as modules, and running them as the scripts that they are."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def output_of(name, *arguments):
    """Run a script with warnings as errors, and return what it prints."""
    command = [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *arguments]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def assert_printed(actual, printed, decimals):
    """Hold numbers to those that were printed with some decimals, where half a unit more or less is right."""
    np.testing.assert_allclose(actual, printed, rtol=0, atol=0.5000001 * 10.0**-decimals)


def assert_exact(actual, expected):
    """Hold numbers to exact ones, up to the rounding of float64."""
    np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-15)
