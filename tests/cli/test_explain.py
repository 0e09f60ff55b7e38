import json
import shutil

import numpy as np
import pytest
from PIL import Image


def test_without_arguments_a_weight_of_a_fresh_network_is_explained(whygrad):
    result = whygrad("explain")
    assert result.code == 0, result.err
    assert result.out.startswith("a fresh digits_cnn, test image 0")
    assert "∂E/∂conv1.weight[" in result.out
    assert "backward pass" in result.out
    assert "finite difference" in result.out
    assert "This weight was used at 64 positions" in result.out


def test_the_newest_run_is_explained(whygrad, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "runs" / "digits-1")
    result = whygrad("explain", "--delta", "conv1[0,0,3,3]", "--image", "3")
    assert result.code == 0, result.err
    assert result.out.startswith("runs/digits-1, test image 3, a ")
    assert "∂E/∂conv1[0,0,3,3]" in result.out


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--weight", "fc1.bias[2]", "∂E/∂fc1.bias[2]"),
        ("--activation", "relu1[0,1,2,2]", "relu1[0,1,2,2] ="),
        ("--update", "conv2.weight[0,0,1,1]", "new conv2.weight[0,0,1,1]"),
    ],
)
def test_every_kind_of_number(whygrad, trained, option, value, said):
    result = whygrad("explain", trained, option, value)
    assert result.code == 0, result.err
    assert said in result.out
    assert "adds up" in result.out


def test_json_latex_and_the_sign_of_hertz(whygrad, trained):
    ask = ("explain", trained, "--weight", "conv1.weight[0,0,1,1]")
    ours = json.loads(whygrad(*ask, "--json").out)
    hertz = json.loads(whygrad(*ask, "--json", "--convention", "hertz").out)
    assert ours["agrees"]
    assert hertz["agrees"]
    assert hertz["sum"] == -ours["sum"]
    written = whygrad(*ask, "--latex").out
    assert written.startswith(r"\documentclass")
    assert written.rstrip().endswith(r"\end{document}")


def test_an_image_of_ones_own(whygrad, trained, tmp_path):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[1:7, 4] = 255
    Image.fromarray(pixels).save(tmp_path / "one.png")
    result = whygrad("explain", trained, "--image", "one.png", "--label", "1")
    assert result.code == 0, result.err
    assert "one.png, which is a 1" in result.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 1, "expected a run"),
        (["--weight", "conv.weight[0]"], 2, "did you mean"),
        (["--weight", "conv1.weight[0,0,9,0]"], 2, "0..2,0..2]"),
        (["--weight", "conv1.weight[x]"], 2, "index in brackets"),
        (["--weight", "fc1.bias[0]", "--delta", "fc1[0,0]"], 2, "one number at a time"),
        (["--image", "99999"], 2, "the number of a test image"),
        (["--image", "missing.png"], 1, "missing.png"),
        (["--image", "1", "--label", "3"], 2, "leave it out"),
        (["--latex", "--json"], 2, "leave one out"),
    ],
)
def test_bad_questions_get_one_line(whygrad, arguments, code, said):
    result = whygrad("explain", *arguments)
    assert result.code == code, result.err
    assert said in result.err
    assert "Traceback" not in result.err
    assert len(result.err.strip().splitlines()) == 1
