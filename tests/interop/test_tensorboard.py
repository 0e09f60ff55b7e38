"""Event files for TensorBoard: read back record by record, also after NaN, an interruption and a full disk."""

import importlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from whygrad import SGD, FileError, OptionError, clip_by_global_norm, fit
from whygrad.layers import Linear
from whygrad.training import Recipe, Run, prepare

pytest.importorskip("tensorboardX")
TensorBoard = importlib.import_module("whygrad.interop.tensorboard").TensorBoard
Event, SessionLog = (
    getattr(importlib.import_module("tensorboardX.proto.event_pb2"), name) for name in ("Event", "SessionLog")
)
masked_crc32c = importlib.import_module("tensorboardX.record_writer").masked_crc32c


def events(directory):
    """Return the events of all files in the order of their writing, checking the checksums."""
    found = []
    for path in sorted(directory.glob("*tfevents*"), key=lambda path: path.stat().st_mtime_ns):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            body = content[at + 12 : at + 12 + length]
            checks = struct.unpack_from("<I", content, at + 8) + struct.unpack_from("<I", content, at + 12 + length)
            assert checks == (masked_crc32c(content[at : at + 8]), masked_crc32c(body))
            found.append(Event.FromString(body))
            at += 16 + length
    return found


def scalars(directory):
    """Return {name: {step: number}} as TensorBoard shows them: a start drops what came from its step on."""
    found = {}
    for event in events(directory):
        if event.session_log.status == SessionLog.START:
            for by_step in found.values():
                for step in [s for s in by_step if s >= event.step]:
                    del by_step[step]
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def histograms(directory):
    return {
        (value.tag, event.step): value.histo
        for event in events(directory)
        for value in event.summary.value
        if value.WhichOneof("value") == "histo"
    }


def training(**options):
    model, rng = Linear(3, 2), np.random.default_rng(0)
    x, labels = rng.normal(size=(10, 3)), np.arange(10) % 2
    given = {"optimizer": SGD(0.1), "rng": rng, "epochs": 2, "batch_size": 4} | options
    return fit(model, model.init(rng, np.float64), x, labels, **given)


class TestSteps:
    def test_scalars(self, tmp_path):
        steps = []
        with TensorBoard(tmp_path) as board:
            for step in training(clip=lambda g: clip_by_global_norm(g, max_norm=0.1)):
                steps.append(step)
                board.write(step, **({"validation_loss": 0.5} if step.ends_epoch else {}))
        found = scalars(tmp_path)
        single = {step.step: np.float32(step.loss) for step in steps}
        assert found["train/loss"] == single
        assert found["train/learning_rate"] == dict.fromkeys(range(1, 7), np.float32(0.1))
        assert found["train/gradient_norm"] == {s.step: np.float32(s.clipped.norm) for s in steps}
        assert found["epoch/loss"] == {s.step: np.float32(s.epoch_loss) for s in steps if s.ends_epoch}
        assert found["epoch/accuracy"] == {s.step: np.float32(s.epoch_accuracy) for s in steps if s.ends_epoch}
        assert found["validation/loss"] == {3: 0.5, 6: 0.5}

    def test_histograms_of_parameters_and_gradients(self, tmp_path):
        with TensorBoard(tmp_path) as board:
            for step in training(keep_gradients=True):
                board.write(step)
        found = histograms(tmp_path)
        assert {step for _, step in found} == {3, 6}
        for tag, arrays in (("weights", step.params), ("gradients", step.gradients)):
            for name, array in arrays.items():
                histogram = found[f"{tag}/{name}", 6]
                counts, edges = np.array(histogram.bucket), np.array(histogram.bucket_limit)
                assert histogram.num == counts.sum() == array.size
                assert (histogram.min, histogram.max) == (array.min(), array.max())
                np.testing.assert_allclose(histogram.sum, array.sum(), rtol=1e-12)
                np.testing.assert_allclose(histogram.sum_squares, (array**2).sum(), rtol=1e-12)
                np.testing.assert_array_equal(counts[1:], np.histogram(array, bins=edges)[0])

    def test_the_gradients_are_those_of_the_update(self):
        before = None
        for step in training(keep_gradients=True):
            if before is not None:
                for name, gradient in step.gradients.items():
                    np.testing.assert_allclose(step.params[name], before[name] - 0.1 * gradient, rtol=1e-12)
            before = step.params

    def test_they_are_kept_only_where_somebody_asks(self):
        assert all(step.gradients is None for step in training())

    def test_every_so_many_steps(self, tmp_path):
        with TensorBoard(tmp_path, every=2, histograms=5) as board:
            for step in training(epochs=4):
                board.write(step)
        assert set(scalars(tmp_path)["train/loss"]) == {2, 3, 4, 6, 8, 9, 10, 12}  # and the ends of epochs
        assert {step for _, step in histograms(tmp_path)} == {5, 10}

    def test_no_histograms(self, tmp_path):
        with TensorBoard(tmp_path, histograms=0) as board:
            for step in training():
                board.write(step)
        assert not histograms(tmp_path)


class TestNumbers:
    def test_nan_and_infinity(self, tmp_path):
        with TensorBoard(tmp_path) as board:
            board.add(1, {"loss": float("nan"), "rate": float("inf")}, {"w": np.array([1.0, np.nan, np.inf, 3.0])})
            board.add(2, {}, {"w": np.full((2, 2), np.nan)})
            board.add(3, {"loss": 1.0}, {"w": np.ones(4)})
        found, bars = scalars(tmp_path), histograms(tmp_path)
        assert np.isnan(found["loss"][1])
        assert found["loss"][3] == 1.0
        assert found["rate"][1] == np.inf
        assert found["not finite/w"] == {1: 2.0, 2: 4.0}
        assert ("w", 2) not in bars
        assert (bars["w", 1].num, bars["w", 1].min, bars["w", 1].max) == (2, 1.0, 3.0)
        assert bars["w", 3].num == sum(bars["w", 3].bucket) == 4

    @pytest.mark.parametrize(
        "array",
        [
            np.zeros((0, 3)),
            np.array(2.5, np.float32),
            np.array([-1.7e308, 1.7e308]),
            np.array([5e-324, -5e-324]),
            np.array([True, False]),
            np.full(3, 3e38, np.float32),
            np.array([1.0, 1.0 + 1e-16, 1.0 + 4e-16]),
        ],
        ids=["empty", "one number", "as large as can be", "as small", "flags", "all alike", "nearly alike"],
    )
    def test_arrays_of_every_kind(self, tmp_path, array):
        with TensorBoard(tmp_path) as board:
            board.add(1, {"one": 1.0}, {"a": array})
        found = histograms(tmp_path)
        assert (("a", 1) in found) == bool(array.size)
        if array.size:
            assert sum(found["a", 1].bucket) == array.size
            assert np.isfinite([found["a", 1].sum, found["a", 1].sum_squares]).all()

    def test_a_scalar_beyond_float32(self, tmp_path):
        with TensorBoard(tmp_path) as board:
            board.add(1, {"a": 1e300, "b": -1e300})
        assert (scalars(tmp_path)["a"][1], scalars(tmp_path)["b"][1]) == (np.inf, -np.inf)

    def test_what_is_no_number(self, tmp_path):
        with (
            TensorBoard(tmp_path) as board,
            pytest.raises(OptionError, match="expected w as real numbers, received <U1"),
        ):
            board.add(1, {}, {"w": np.array(["a"])})


class TestFiles:
    def test_a_training_that_goes_on_replaces_what_came_after(self, tmp_path):
        with TensorBoard(tmp_path) as board:
            for step in (1, 2, 3, 4):
                board.add(step, {"loss": float(step)})
        with TensorBoard(tmp_path) as board:
            for step in (3, 4, 5):
                board.add(step, {"loss": 10.0 * step})
        assert scalars(tmp_path)["loss"] == {1: 1.0, 2: 2.0, 3: 30.0, 4: 40.0, 5: 50.0}
        assert len(list(tmp_path.iterdir())) == 2

    def test_nothing_is_written_before_there_is_something(self, tmp_path):
        with TensorBoard(tmp_path / "a" / "b"):
            pass
        assert list((tmp_path / "a" / "b").iterdir()) == []

    def test_a_place_that_is_a_file(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(FileError, match="room for TensorBoard's events, received File exists"):
            TensorBoard(tmp_path / "file")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_full_disk_is_an_error(self, tmp_path, monkeypatch):
        board = TensorBoard(tmp_path)
        board.add(1, {"a": 1.0})
        with Path("/dev/full").open("wb", buffering=0) as full, monkeypatch.context() as patched:
            patched.setattr(board._writer._py_recordio_writer, "_writer", full)
            with pytest.raises(FileError, match="No space left on device"):
                board.add(2, {"a": 1.0})
        board.close()

    @pytest.mark.parametrize("options", [{"every": 0}, {"histograms": -1}, {"every": 1.5}])
    def test_options(self, tmp_path, options):
        with pytest.raises(OptionError, match=f"{next(iter(options))} to be a whole number"):
            TensorBoard(tmp_path, **options)


class TestCommand:
    def run(self, *arguments, cwd, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "whygrad", *arguments],
            cwd=cwd,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def test_train(self, tmp_path):
        options = ("--epochs", "2", "--patience", "5", "--clip", "1", "--no-check", "--out", "run")
        code, _, errors = self.run("train", *options, "--tensorboard", "board", cwd=tmp_path)
        assert code == 0, errors
        found = scalars(tmp_path / "board")
        lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
        assert found["train/loss"] == {line["step"]: np.float32(line["loss"]) for line in lines}
        ends = {line["step"]: line for line in lines if "validation_loss" in line}
        assert found["validation/accuracy"] == {s: np.float32(e["validation_accuracy"]) for s, e in ends.items()}
        tags = {tag for tag, _ in histograms(tmp_path / "board")}
        assert {"weights/conv1.weight", "gradients/conv1.weight"} <= tags
        # Looking on changes nothing.
        code, _, errors = self.run("train", *options[:-1], "again", cwd=tmp_path)
        assert code == 0, errors
        for name in ("model.safetensors", "metrics.jsonl"):
            assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()

    def test_resume_goes_on_in_the_same_directory(self, tmp_path):
        run = Run.create(Recipe(epochs=2), tmp_path / "run")
        experiment = prepare(run.recipe)
        steps = run.steps(experiment)
        with TensorBoard(tmp_path / "board") as board:
            for step in steps:
                board.write(step)
                if step.step == 60:
                    break
        steps.close()
        code, _, errors = self.run("train", "--resume", "run", "--no-check", "--tensorboard", "board", cwd=tmp_path)
        assert code == 0, errors
        assert sorted(scalars(tmp_path / "board")["train/loss"]) == list(range(1, 91))

    def test_without_tensorboardx(self, tmp_path):
        (tmp_path / "tensorboardX.py").write_text("raise ImportError\n")
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        code, out, errors = self.run("train", "--tensorboard", "board", cwd=tmp_path, PYTHONPATH=path)
        assert (code, out) == (1, "")
        assert errors == (
            "whygrad: whygrad.interop.tensorboard: expected the package tensorboardX, received none; "
            "install it with: pip install 'whygrad[tensorboard]'\n"
        )
        assert not (tmp_path / "runs").exists()

    def test_a_directory_that_cannot_be(self, tmp_path):
        (tmp_path / "file").write_text("")
        code, _, errors = self.run("train", "--tensorboard", "file/board", cwd=tmp_path)
        assert code == 1
        assert errors.startswith("whygrad: file/board: expected room for TensorBoard's events")
        assert not (tmp_path / "runs").exists()
