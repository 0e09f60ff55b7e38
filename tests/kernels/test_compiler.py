"""How kernels are called: by their one compiled form, which trusts its arguments, or in tests by the dispatcher."""

import numpy as np
import pytest

from whygrad.kernels import compiler
from whygrad.ops import relu

DOUBLE = np.dtype(np.float64)


@pytest.fixture
def kernel():
    """Return a kernel that has no compiled form yet, and give it back the one that it had."""
    relu(np.ones(1))
    kernel = compiler.Kernel.all["relu._forward"]
    kept = dict(kernel)
    kernel.clear()
    yield kernel
    kernel.clear()
    kernel.update(kept)


def test_tests_refuse_arguments_of_another_kind(kernel):
    x, y = np.ones((4, 4)), np.empty((4, 4))
    for wrong in (x, x.ravel()[::2], x.ravel().astype(np.float32)):
        with pytest.raises(TypeError):
            kernel[DOUBLE](wrong, y.ravel(), 1)


def test_outside_of_tests_the_compiled_form_is_called_itself(kernel, monkeypatch):
    checked = relu(np.array([-1.0, 2.0]))[0]
    assert hasattr(kernel[DOUBLE], "overloads")
    kernel.clear()
    monkeypatch.setattr(compiler, "checked", False)
    np.testing.assert_array_equal(relu(np.array([-1.0, 2.0]))[0], checked)
    assert not hasattr(kernel[DOUBLE], "overloads")
