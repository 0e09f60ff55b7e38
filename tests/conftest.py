"""Settings that every test shares."""

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

from whygrad.kernels import compiler

pytest.register_assert_rewrite("tests.ops.shared", "tests.ops.peers")

# The same examples in every run, so that a failure is a change of the code and never of the luck.
settings.register_profile("whygrad", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("whygrad")

# Kernels trust their callers: here each call is looked at.
compiler.checked = True

# Matrices this small gain nothing from more threads, which only get in the way of whatever else runs.
threadpool_limits(1, "blas")
