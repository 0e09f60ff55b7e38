"""Settings that every test shares."""

import os
import signal

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

# A shell in the background leaves Ctrl-C switched off for its children: tests interrupt theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if "PYTEST_XDIST_WORKER" in os.environ:  # tests beside each other share the cores already
    os.environ.setdefault("WHYGRAD_NUM_THREADS", "1")

from whygrad.kernels import compiler

pytest.register_assert_rewrite("tests.ops.shared", "tests.ops.peers")

# The same examples in every run, so that a failure is a change of the code and never of the luck.
settings.register_profile("whygrad", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("whygrad")

# Kernels trust their callers: here each call is looked at.
compiler.checked = True

# Matrices this small gain nothing from more threads, which only get in the way of whatever else runs.
threadpool_limits(1, "blas")
