"""The register tile, in every size and on every width of vector that this machine can run."""

import ctypes
import os
import subprocess
import sys

import llvmlite.binding
import numpy as np
import pytest

from whygrad.kernels import blocks
from whygrad.kernels.tile import ARGUMENTS
from whygrad.kernels.vectors import real

HOST = llvmlite.binding.get_host_cpu_features()
#: Settings of Numba by the width of a vector in bytes.
WIDTHS = {
    64: {},
    32: {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+sse4.2,+popcnt,+bmi,+bmi2"},
    16: {"NUMBA_CPU_NAME": "generic"},
}
CAN_RUN = {64: HOST.get("avx512f", False), 32: HOST.get("avx2", False) and HOST.get("fma", False), 16: True}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_size_adds_up_what_its_definition_says(dtype):
    blocks.link(dtype)
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(ARGUMENTS))(blocks.linked[dtype].address)
    shape, rng = real(dtype), np.random.default_rng(0)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    for rows in range(1, shape.rows + 1):
        for columns in range(1, shape.columns + 1):
            start, relu = columns % 3, (rows + columns) % 2
            mask = int(columns < shape.lanes and rows % 3 > 0)
            a = rng.normal(size=(3, rows, 7)).astype(dtype)
            b = rng.normal(size=(3, 7, columns if mask else shape.columns)).astype(dtype)
            if mask:  # what follows the last row must not be read: it would make the sums NaN
                b = np.concatenate([b.reshape(-1), np.full(shape.lanes, np.nan, dtype)])
            held = rng.normal(size=(rows, shape.columns + 3)).astype(dtype)
            bias, c = rng.normal(size=shape.columns).astype(dtype), held.copy()
            pitch = columns if mask else shape.columns
            addresses = [array.ctypes.data for array in (a, b, c, bias)]
            run(rows, columns, addresses[0], 7, 1, rows * 7, addresses[1], pitch, 7 * pitch, addresses[2],
                shape.columns + 3, 3, 7, start, addresses[3], relu, mask)  # fmt: skip
            b = b[: 21 * pitch].reshape(3, 7, pitch) if mask else b
            wanted = np.einsum("brk,bkl->rl", a.astype(float), b[:, :, :columns].astype(float))
            wanted += (0, held[:, :columns], bias[:columns])[start]
            if relu:
                wanted = np.maximum(wanted, 0)
            np.testing.assert_allclose(c[:, :columns], wanted, rtol=0, atol=tolerance * 30)
            assert np.array_equal(c[:, columns:], held[:, columns:])  # nothing beside the tile is written


def test_relu_in_the_tile_lets_nan_through():
    blocks.link("float32")
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(ARGUMENTS))(blocks.linked["float32"].address)
    a, b = np.array([np.nan], np.float32), np.ones(64, np.float32)
    c = np.zeros(64, np.float32)
    run(1, 3, a.ctypes.data, 1, 1, 1, b.ctypes.data, 64, 64, c.ctypes.data, 64, 1, 1, 0, 0, 1, 0)
    assert np.isnan(c[:3]).all()
    assert not c[3:].any()


_OTHERS = sorted((w for w in WIDTHS if w != real("float32").lanes * 4), reverse=True)


# The widest of them each time; every one compiles all convolutions anew.
@pytest.mark.parametrize("width", [_OTHERS[0], *(pytest.param(w, marks=pytest.mark.slow) for w in _OTHERS[1:])])
def test_on_another_vector_width(width, tmp_path):
    if not CAN_RUN[width]:
        pytest.skip(f"this machine has no vectors of {width} bytes")
    code = (
        "import sys, pytest\n"
        "from whygrad.kernels.vectors import real\n"
        f"assert real('float32').lanes * 4 == {width}, real('float32')\n"
        "chosen = ['tests/kernels/test_tile.py::test_every_size_adds_up_what_its_definition_says',\n"
        "          'tests/kernels/test_convolutions.py']\n"
        "sys.exit(pytest.main([*chosen, '-q', '-x', '-p', 'no:cacheprovider']))\n"
    )
    given = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CPU")}
    environment = given | WIDTHS[width] | {"WHYGRAD_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
