import json

import numpy as np
import pytest
from PIL import Image

from whygrad.data import load_digits


@pytest.fixture
def digit(tmp_path):
    """Write a digit of the training data as pictures, and return what it is."""
    data = load_digits()
    pixels = (data.images[0, 0] * 255).round().astype(np.uint8)
    big = Image.fromarray(pixels).resize((80, 80), Image.Resampling.NEAREST)
    big.save(tmp_path / "light.png")
    big.convert("RGB").save(tmp_path / "light.jpg", quality=95)
    Image.fromarray(255 - np.asarray(big)).save(tmp_path / "dark.png")
    np.save(tmp_path / "one.npy", data.images[0, 0])
    np.save(tmp_path / "three.npy", data.images[:3])
    return str(data.labels[0])


@pytest.mark.parametrize("name", ["light.png", "light.jpg", "one.npy"])
def test_a_digit_is_recognised_from_every_kind_of_file(whygrad, trained, digit, name):
    result = whygrad("predict", trained, name)
    assert result.code == 0, result.err
    assert result.out.startswith(f"{name}: {digit}  ({digit} ")
    assert result.out.count("%") == 3
    assert result.err == ""


def test_dark_on_light_is_pointed_out_and_mended_by_invert(whygrad, trained, digit):
    result = whygrad("predict", trained, "dark.png")
    assert "dark on light, the training images are light on dark; try --invert" in result.err
    result = whygrad("predict", trained, "dark.png", "--invert")
    assert result.out.startswith(f"dark.png: {digit} ")
    assert result.err == ""


def test_json_gives_every_probability(whygrad, trained, digit):
    result = whygrad("predict", trained, "light.png", "three.npy", "--json")
    predictions = json.loads(result.out)["predictions"]
    assert [p["image"] for p in predictions] == ["light.png", "three.npy[0]", "three.npy[1]", "three.npy[2]"]
    assert [p["class"] for p in predictions] == [digit, "0", "1", "2"]
    assert sum(predictions[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected an image file, received no such file; check the path"),
        (b"", "expected a PNG, JPEG, BMP, WebP or GIF, received something else"),
        (b"\x89PNG\r\n\x1a\nnonsense", "expected a PNG, JPEG, BMP, WebP or GIF, received"),
    ],
)
def test_a_file_that_is_no_image_is_one_line_and_exit_code_1(whygrad, trained, tmp_path, content, message):
    if content is not None:
        (tmp_path / "image.png").write_bytes(content)
    result = whygrad("predict", trained, "image.png")
    assert result.code == 1
    assert f"image.png: {message}" in result.err
    assert result.err.count("\n") == 1


def test_integers_in_an_array_are_refused(whygrad, trained, tmp_path):
    np.save(tmp_path / "raw.npy", np.zeros((8, 8), np.uint8))
    result = whygrad("predict", trained, "raw.npy")
    assert result.code == 1
    assert "expected floats, received uint8; scale it as the training images were" in result.err


def test_evaluate_measures_what_training_measured(whygrad, trained):
    summary = json.loads((trained / "summary.json").read_text())
    result = json.loads(whygrad("evaluate", trained, "--json").out)
    assert result["test_accuracy"] == summary["test_accuracy"]
    assert np.sum(result["confusion"]) == result["images"] == 359
    assert f"({round(359 * summary['test_accuracy'])} of 359)" in whygrad("evaluate", trained).out


def test_info_describes_the_run(whygrad, trained):
    text = whygrad("info", trained).out
    for part in (
        "digits_cnn",
        "optimizer",
        "conv1    Conv2d(1, 16, 3",
        "total",
        "epoch   4",
        "finished: test accuracy",
    ):
        assert part in text
    described = json.loads(whygrad("info", trained, "--json").out)
    assert described["finished"] is True
    assert described["config"]["recipe"]["epochs"] == 4
    assert len(described["epochs"]) == 4


@pytest.mark.parametrize("command", ["predict", "evaluate", "info"])
def test_what_is_no_run_is_refused(whygrad, tmp_path, command):
    images = ["x.png"] if command == "predict" else []
    result = whygrad(command, tmp_path, *images)
    assert result.code == 1
    assert "expected a run, received a directory without config.json" in result.err
    assert "Traceback" not in result.err
