"""The benchmarks: what they compute from times, and that they compare like with like. No time is asserted."""

import gzip
import json
import os
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import NETWORKS, network  # noqa: E402

from benchmarks import agreement, idx, load, machine, ours, pairing, report, train  # noqa: E402

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
SMALL = ["sigmoids", "lenet5-1", "mnist_cnn", "resnet20", "vgg_small"]


class FakeClock:
    """Time passes only where a call says so."""

    def __init__(self):
        self.now, self.order = 0.0, []

    def __call__(self):
        return self.now

    def rest(self, seconds):
        self.order.append("rest")

    def call(self, name, *durations):
        left = list(durations)

        def run():
            self.order.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


def alternate(clock, calls, rounds, piece):
    return pairing.alternate(calls, rounds, piece=piece, clock=clock, rest=clock.rest)


def test_the_sides_take_turns():
    clock = FakeClock()
    times = alternate(clock, [clock.call("a", 1.0), clock.call("b", 2.0)], 3, piece=0.5)
    assert times == [[1.0] * 3, [2.0] * 3]
    measured = "".join(clock.order).split("rest", 1)[1].replace("rest", "")
    assert measured == "ababab"


def test_short_calls_are_repeated_and_their_first_does_not_count():
    clock = FakeClock()
    # warm-up, the call that is calibrated on, then one slow call that brings back the caches
    slow_first = clock.call("a", 9.0, 0.25, 9.0, 0.25)
    assert alternate(clock, [slow_first], 1, piece=1.0) == [[0.25]]
    assert clock.order.count("a") == 2 + 1 + 4


def test_a_clock_that_stands_still_ends():
    clock = FakeClock()
    assert alternate(clock, [clock.call("a", 0.0)], 1, piece=1.0) == [[0.0]]


def test_ratios_are_of_pairs():
    result = pairing.Comparison.of([1.0, 2.0, 4.0], [2.0, 2.0, 2.0])
    assert result.ratio == pairing.Quartiles(0.75, 1.0, 1.5)
    assert result.ours == pairing.Quartiles(1.5, 2.0, 3.0)
    assert pairing.Quartiles.of([3.0]) == pairing.Quartiles(3.0, 3.0, 3.0)
    assert pairing.Comparison.of([1.0]).ratio is None


def test_the_quickest_is_chosen():
    clock = FakeClock()
    calls = {"slow": clock.call("s", 2.0), "quick": clock.call("q", 1.0)}
    name, medians = pairing.best(calls, piece=1.0, clock=clock, rest=clock.rest)
    assert (name, medians) == ("quick", {"slow": 2.0, "quick": 1.0})


@pytest.mark.parametrize(("others", "flagged"), [(None, False), (0.05, False), (0.5, True)])
def test_a_measurement_beside_other_work_is_marked(others, flagged):
    shown = report.Report("train", machine.describe(1), None)
    comparison = pairing.Comparison(pairing.Quartiles.of([1.0]), others=others)
    shown.add(seconds=comparison.to_dict())
    assert shown.content["results"][0]["disturbed"] is flagged
    assert report.cells(comparison)[2].endswith("!") is flagged


def test_the_meter_leaves_out_this_process(monkeypatch):
    busy, own = iter([10.0, 13.0]), iter([1.0, 2.0])
    now = iter([0.0, 4.0])
    monkeypatch.setattr(load, "_busy", lambda: next(busy))
    monkeypatch.setattr(load, "_own", lambda: next(own))
    monkeypatch.setattr(load.time, "perf_counter", lambda: next(now))
    assert load.Meter().others() == 0.5


@needs_torch
@pytest.mark.parametrize("key", SMALL)
def test_both_sides_compute_the_same(key):
    found = train.check(network(key).tiny())
    assert max(found["float32"].values()) <= agreement.TOLERANCE
    assert max(found["float64"].values()) <= train.EXACT


@needs_torch
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_side_that_computes_something_else_gets_no_times(monkeypatch, dtype):
    right = ours.first_step

    def wrong(model, params, loss, x, target):
        value, gradients = right(model, params, loss, x, target)
        spoilt = gradients["conv1.weight"] * (1.001 if x.dtype == dtype else 1)
        return value, gradients | {"conv1.weight": spoilt}

    monkeypatch.setattr(ours, "first_step", wrong)
    with pytest.raises(agreement.DisagreementError, match=r"conv1\.weight"):
        train.check(network("lenet5-1"))


def test_a_wrong_gradient_is_refused():
    right = (1.0, {"w": np.ones(3)})
    agreement.require_step(right, right)
    for wrong in ((1.001, {"w": np.ones(3)}), (1.0, {"w": np.array([1, 1, 1.001])}), (1.0, {"v": np.ones(3)})):
        with pytest.raises(agreement.DisagreementError):
            agreement.require_step(wrong, right)
    with pytest.raises(agreement.DisagreementError):
        agreement.require("loss", np.nan, 1.0)


def test_the_floors_are_those_that_are_aimed_at():
    assert [n.floor for n in NETWORKS] == [4, 4, 2.5, 1.3, 1.2, 1.0]


def benchmarks(*arguments, cwd=ROOT):
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("with_torch", ["--no-torch", pytest.param("--torch", marks=needs_torch)])
def test_json_has_every_number(with_torch):
    options = ["--quick", "--rounds", 2, "--threads", 1, "--no-compile", "--json", "-"]
    done = benchmarks("train", "--network", "lenet5-1", with_torch, *options)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert {"cpu", "cores", "threads", "os", "python", "numpy", "numba", "torch"} <= content["machine"].keys()
    assert content["machine"]["threads"] == 1
    (result,) = content["results"]
    assert (result["network"], result["floor"]) == ("lenet5-1", 4.0)
    assert result["seconds"]["ours"].keys() == {"low", "median", "high"}
    assert (result["seconds"]["ratio"] is None) == (with_torch == "--no-torch")
    assert "others" in result["seconds"]


@needs_torch
def test_both_sides_keep_to_one_thread():
    code = """
import torch
from benchmarks import machine, ours
from benchmarks.networks import network
torch.set_num_threads(1)
assert torch.get_num_threads() == 1  # PyTorch takes the number over on its first use, not before
with machine.using(1, torch=True):
    n = network("lenet5-64")
    ours.Trainer.of(n).step(n.images(), n.targets())
    assert torch.get_num_threads() == 1
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command", [[], ["train"], ["layers"], ["inference"], ["check"], ["start"], ["memory"], ["accuracy"]], ids=str
)
def test_there_is_help(command):
    assert run_here([*command, "--help"])[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["train", "--network", "alexnet"],
        ["train", "--rounds", "0"],
        ["train", "--json", "/nowhere/at/all.json"],
        ["inference", "--model", "alexnet"],
        ["accuracy"],
    ],
    ids=str,
)
def test_wrong_options_are_one_line(arguments):
    code, errors = run_here(arguments)
    assert code == 2
    assert errors.startswith("benchmarks: ")
    assert errors.count("\n") == 1


def test_a_missing_data_folder_is_one_line(tmp_path):
    code, errors = run_here(["accuracy", "--data", str(tmp_path), "--no-torch"])
    assert code == 1
    assert "Traceback" not in errors


def run_here(arguments):
    """Return the exit code and what stood on standard error."""
    import contextlib
    import io

    from benchmarks.app import main

    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as ended, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        main(arguments)
    return ended.value.code, err.getvalue()


def idx_file(path, array, *, head=None, compress=gzip.compress):
    content = head or bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(compress(content + array.tobytes()))
    return path


def test_idx_is_read(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(idx.read_idx(idx_file(tmp_path / "a.gz", array), 3), array)


def head(rank, *shape):
    return bytes((0, 0, 8, rank)) + struct.pack(f">{len(shape)}I", *shape)


@pytest.mark.parametrize(
    "options",
    [
        {"head": bytes((0, 0, 13, 1, 0, 0, 0, 6))},  # floats
        {"head": head(3, 1, 2, 3)},  # other axes
        {"head": head(1, 7)},  # longer than the content
        {"head": head(1, 5)},  # shorter
        {"head": head(1, 2**32 - 1)},
        {"compress": lambda content: content},  # not compressed
        {"compress": lambda content: gzip.compress(content)[:-9]},  # cut off
        {"compress": lambda content: gzip.compress(content[:3])},
    ],
    ids=["kind", "axes", "long", "short", "huge", "plain", "cut", "no head"],
)
def test_a_damaged_idx_file_is_refused(tmp_path, options):
    path = idx_file(tmp_path / "a.gz", np.zeros(6, np.uint8), **options)
    with pytest.raises(idx.DataFileError, match="expected"):
        idx.read_idx(path, 1)


def test_an_idx_file_has_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "_MOST_BYTES", 10)
    with pytest.raises(idx.DataFileError, match="at most 10 bytes"):
        idx.read_idx(idx_file(tmp_path / "a.gz", np.zeros(100, np.uint8)), 1)
