"""Training on a person's own data from the command line."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.data.shapes import CLASSES, draw, write_shapes
from tests.data.shared import write_idx_set
from whygrad.data import read_images


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Return a folder of three classes of drawn shapes in several formats, with one damaged file."""
    root = tmp_path_factory.mktemp("data") / "shapes"
    write_shapes(root, 120, sizes=((32, 32),))
    (root / "square/0001.jpg").write_bytes(b"\xff\xd8\xff\xe0 damaged")
    return root


@pytest.fixture(scope="module")
def trained_on_shapes(shapes, tmp_path_factory):
    """Return the directory of a run on the shapes, and what training said."""
    import subprocess
    import sys

    path = tmp_path_factory.mktemp("runs") / "run"
    command = [sys.executable, "-m", "whygrad", "train", str(shapes), "--epochs", "12", "--out", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path, done


def test_a_folder_of_drawn_shapes_is_learned_and_the_damaged_file_is_named(trained_on_shapes):
    path, done = trained_on_shapes
    assert done.stderr == "whygrad: square/0001.jpg: left out, broken data stream when reading image file\n" or (
        done.stderr.startswith("whygrad: square/0001.jpg: left out, ") and done.stderr.count("\n") == 1
    )
    assert "shapes: 287 training images, 72 test images, 1x32x32, 3 classes" in done.stdout
    summary = json.loads((path / "summary.json").read_text())
    assert summary["test_accuracy"] > 0.95
    config = json.loads((path / "config.json").read_text())
    assert config["data"]["classes"] == list(CLASSES)
    assert list(config["data"]["skipped"]) == ["square/0001.jpg"]


def test_strict_refuses_it(whygrad, shapes, tmp_path):
    result = whygrad("train", shapes, "--strict")
    assert result.code == 1
    assert f"{shapes}/square/0001.jpg: expected a picture that can be read, received" in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_the_run_predicts_without_its_data(whygrad, shapes, trained_on_shapes, tmp_path):
    path, _ = trained_on_shapes
    shutil.copytree(path, tmp_path / "elsewhere")
    config = json.loads((tmp_path / "elsewhere/config.json").read_text())
    config["recipe"]["data"] = "/nowhere/shapes"
    (tmp_path / "elsewhere/config.json").write_text(json.dumps(config))
    rng, right = np.random.default_rng(99), 0
    for i in range(6):
        draw(CLASSES[i % 3], rng, (32, 32)).save(tmp_path / f"{i}.png")
    result = whygrad("predict", "elsewhere", *[f"{i}.png" for i in range(6)], "--json")
    assert result.code == 0, result.err
    for i, each in enumerate(json.loads(result.out)["predictions"]):
        right += each["class"] == CLASSES[i % 3]
    assert right >= 5
    assert "conv1" in whygrad("info", "elsewhere").out
    failed = whygrad("evaluate", "elsewhere")
    assert failed.code != 0
    assert "expected one of digits, mnist" in failed.err


def test_the_run_is_evaluated_explained_and_checked(whygrad, trained_on_shapes):
    path, _ = trained_on_shapes
    result = whygrad("evaluate", path, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["images"] == 72
    result = whygrad("explain", path, "--weight", "conv1.weight[0,0,1,1]", "--image", 3)
    assert result.code == 0, result.err
    assert "adds up" in result.out
    result = whygrad("check", path, "--json")
    assert result.code == 0, result.err
    report = json.loads(result.out)
    assert report["right"]
    assert report["subject"] == str(path)
    assert "conv1.weight" in {row["name"] for row in report["rows"]}
    failed = whygrad("check", path, "--dtype", "float32")
    assert failed.code == 2
    assert "--dtype: expected it with an operation or a loss, received it with the run" in failed.err


def test_the_exported_run_classifies_the_same_pictures_the_same_way_elsewhere(
    whygrad, shapes, trained_on_shapes, tmp_path
):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    path, _ = trained_on_shapes
    assert whygrad("export", path, "model.onnx").code == 0
    pictures = [one for kind in CLASSES for one in sorted((shapes / kind).iterdir()) if one.name != "0001.jpg"]
    result = whygrad("predict", path, *pictures, "--json")
    assert result.code == 0, result.err
    ours = [one["class"] for one in json.loads(result.out)["predictions"]]
    images = np.concatenate([read_images(one, (1, 32, 32)) for one in pictures])
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {session.get_inputs()[0].name: images.astype(np.float32)})
    assert [CLASSES[k] for k in scores.argmax(axis=1)] == ours
    assert np.mean([one.parent.name == name for one, name in zip(pictures, ours, strict=True)]) > 0.95


def test_other_images_are_not_taken_for_those_of_the_run(whygrad, trained_on_shapes, shapes, tmp_path):
    path, _ = trained_on_shapes
    shutil.copytree(path, tmp_path / "run")
    extra = shapes / "cross/extra.png"
    Image.new("L", (32, 32)).save(extra)
    try:
        result = whygrad("evaluate", "run")
    finally:
        extra.unlink()
    assert result.code == 1
    assert "expected the images that the run was begun with, received others; bring the images back" in result.err


def test_a_named_set_is_trained_on_from_a_folder_and_resumed_from_elsewhere(whygrad, tmp_path):
    write_idx_set(tmp_path / "files", 300, 60)
    options = ("--data-dir", "files", "--epochs", 2, "--augment", "shift=1,rotate=5", "--normalise", "--drop-last")
    result = whygrad("train", "mnist", *options, "--json")
    assert result.code == 0, result.err
    summary = json.loads(result.out)
    assert summary["run_dir"] == "runs/mnist-1"
    assert summary["steps"] == 2 * (300 // 64)
    (tmp_path / "sub").mkdir()
    result = whygrad("evaluate", "../runs/mnist-1", "--json", cwd=tmp_path / "sub")
    assert json.loads(result.out)["test_accuracy"] == summary["test_accuracy"]
    Image.new("L", (28, 28), 0).save(tmp_path / "black.png")
    assert whygrad("predict", "runs/mnist-1", "black.png").code == 0


def test_a_run_with_augmentation_that_was_interrupted_ends_like_one_that_was_not(whygrad, tmp_path):
    """The checkpoint in the middle of an epoch, and the one at its end, both lead to the same bits."""
    from whygrad import get_num_threads, set_num_threads
    from whygrad.training import Run

    threads = get_num_threads()
    write_idx_set(tmp_path / "files", 300, 60)
    options = ("--data-dir", "files", "--epochs", 2, "--augment", "shift=2, flip", "--no-check", "--batch-size", 32)
    assert whygrad("train", "mnist", *options, "--out", "whole").code == 0
    assert whygrad("train", "mnist", *options, "--out", "broken", "--seed", 0, "--json").code == 0
    wanted = (tmp_path / "whole/model.safetensors").read_bytes()
    for stop in (3, 10, 14):
        shutil.rmtree(tmp_path / "broken")
        shutil.copytree(tmp_path / "whole", tmp_path / "broken")
        for name in ("summary.json", "model.safetensors", "metrics.jsonl"):
            (tmp_path / "broken" / name).unlink()
        shutil.rmtree(tmp_path / "broken/checkpoints")
        (tmp_path / "broken/checkpoints").mkdir()
        run = Run(tmp_path / "broken")
        set_num_threads(run.threads)
        steps = run.steps(run.experiment())
        for _ in range(stop):
            next(steps)
        steps.close()
        set_num_threads(threads)
        assert whygrad("train", "--resume", "broken").code == 0
        assert (tmp_path / "broken/model.safetensors").read_bytes() == wanted


MNIST = os.environ.get("WHYGRAD_MNIST")


@pytest.mark.slow
@pytest.mark.skipif(not MNIST, reason="WHYGRAD_MNIST names no folder with MNIST")
def test_mnist_is_learned_to_99_per_cent(whygrad):
    result = whygrad("train", "mnist", "--data-dir", MNIST, "--json", timeout=3600)
    assert result.code == 0, result.err
    assert json.loads(result.out)["test_accuracy"] >= 0.99


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 2, "data: expected one of digits, mnist"),
        (["mnist", "--recipe", "worst"], 2, "recipe: expected one of default, best, received 'worst'"),
        (
            ["mnist", "--size", "3"],
            2,
            "--size: expected it with a folder of images, received it with the data set mnist",
        ),
        (["--size", "0"], 2, "size: expected a size of 2 to 4096 pixels, such as 64, or 48x64"),
        (["--size", "4x4x4"], 2, "size: expected a size of 2 to 4096 pixels"),
        (["--augment", "spin"], 2, "augment: expected augmentations among shift, crop, rotate, cutout, flip"),
        (["--augment", "shift=8"], 2, "augment: expected less than 8 pixels for images of 8x8"),
        (
            ["--batch-size", "9999", "--drop-last"],
            2,
            "batch_size: expected at least one whole batch, received 9999",
        ),
        (["--data-dir", "."], 2, "--data-dir: expected it with a named data set that has files"),
        (["mnist", "--data-dir", "."], 1, "expected train-images-idx3-ubyte.gz, train-labels"),
        (["empty"], 1, "empty: expected at least two sub-folders with pictures, received none"),
    ],
)
def test_what_cannot_be_trained_on_is_one_line(whygrad, tmp_path, arguments, code, message):
    (tmp_path / "empty").mkdir()
    result = whygrad("train", *arguments)
    assert (result.code, result.out) == (code, "")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
