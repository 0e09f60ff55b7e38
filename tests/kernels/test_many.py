"""Many arrays handed to one call: where each is found, and the way without knowing how objects lie in memory."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whygrad.kernels import many
from whygrad.optim import SGD


@numba.njit
def total(like, places, sizes, n):
    """Return the sum of array n."""
    found, result = many.nth(like, places, n, sizes[n]), 0.0
    for i in range(found.size):
        result += found[i]
    return result


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=12), st.sampled_from(["float32", "float64"]), st.booleans()
)
def test_each_of_many_arrays_is_found(counts, dtype, known):
    memory = np.arange(50, dtype=dtype)
    memory.flags.writeable = False
    arrays = [memory[n : 2 * n] if n % 2 else np.arange(n, dtype=dtype) for n in counts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many, "_known_layout", lambda: known)
        kept, places = many.places_of(arrays)
    sizes = np.array([a.size for a in arrays], np.int64)
    for n, array in enumerate(arrays):
        assert total(memory, places, sizes, n) == array.sum()
    del kept


def test_memory_is_laid_out_as_is_believed_here():
    assert many._known_layout()


def test_updates_are_the_same_where_addresses_are_looked_up(monkeypatch):
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape) for name, shape in {"a": (3, 2), "b": (), "c": (0,), "d": (70,)}.items()}
    optimizer = SGD(0.1, momentum=0.9)
    wanted = optimizer.update(params, params, optimizer.init(params))
    monkeypatch.setattr(many, "_known_layout", lambda: False)
    np.testing.assert_equal(optimizer.update(params, params, optimizer.init(params)), wanted)
