"""Where compiled kernels are kept, and what is said about it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from whygrad.kernels import ahead
from whygrad.ops import sigmoid

STEP = "import numpy as np, whygrad; print(whygrad.ops.relu(np.array([-1.0, 2.0]))[0])"


def run(code, folder):
    environment = os.environ | {"WHYGRAD_CACHE_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_the_first_process_says_that_it_compiles_and_the_next_loads(tmp_path):
    first, second = run(STEP, tmp_path), run(STEP, tmp_path)
    assert first.stdout == second.stdout == "[0. 2.]\n"
    assert first.stderr.startswith("compiling kernels, once on this machine")
    assert second.stderr == ""
    (folder,) = tmp_path.iterdir()
    assert (folder / "float64" / "relu._forward.ready").exists()


def test_a_folder_that_cannot_be_written_is_a_warning_and_no_more(tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    done = run(STEP, in_the_way)
    assert done.stdout == "[0. 2.]\n"
    assert "RuntimeWarning: whygrad: cannot keep compiled kernels" in done.stderr
    assert "set WHYGRAD_CACHE_DIR to a folder that can be written" in done.stderr


def test_nothing_is_compiled_or_loaded_at_import(tmp_path):
    code = "import sys, whygrad; print('numba' in sys.modules, 'torch' in sys.modules)"
    assert run(code, tmp_path).stdout == "False False\n"
    assert not list(tmp_path.iterdir())


def test_old_folders_go_and_young_ones_stay(tmp_path):
    for name, days in (("kernels-old", 30), ("kernels-young", 1), ("another", 30)):
        folder = tmp_path / name
        folder.mkdir()
        then = folder.stat().st_mtime - 86400 * days
        os.utime(folder, (then, then))
    run(STEP, tmp_path)
    assert not (tmp_path / "kernels-old").exists()
    assert (tmp_path / "kernels-young").exists()
    assert (tmp_path / "another").exists()


def test_damaged_kernels_are_compiled_anew(tmp_path):
    run(STEP, tmp_path)
    damaged = list(Path(tmp_path).rglob("*.nb[ci]"))
    for file in damaged:
        file.write_bytes(b"")
    done = run(STEP, tmp_path)
    assert damaged
    assert done.stdout == "[0. 2.]\n", done.stderr


def test_jobs_are_the_kernels_that_a_computation_lacks(monkeypatch):
    monkeypatch.setattr(ahead, "is_ready", lambda *_: False)
    sigmoid(np.ones(3))
    kernel = ahead.Kernel.all["sigmoid._forward"]
    kept = dict(kernel)
    kernel.clear()
    try:
        assert ahead.jobs_of(lambda: sigmoid(np.ones(3, np.float32))) == [ahead.Job("sigmoid._forward", "float32")]
        assert not kernel  # nothing was compiled
    finally:
        kernel.update(kept)


def test_kernels_are_compiled_ahead_in_other_processes(tmp_path):
    code = (
        "from whygrad.kernels import ahead, cache\n"
        "jobs = [ahead.Job('relu._forward', 'float32'), ahead.Job('relu._backward', 'float32')]\n"
        "done = []\n"
        "ahead.compile_ahead(jobs, done.append)\n"
        "assert sorted(done) == sorted(jobs), done\n"
        "assert all(cache.is_ready(*job) for job in jobs)\n"
        "import numpy as np, whygrad\n"
        "whygrad.ops.relu(np.ones(3, np.float32))\n"
    )
    done = run(code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
