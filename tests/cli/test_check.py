"""``whygrad check``, and what its guide says."""

import contextlib
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import whygrad.checking
from tests.tables import masked
from whygrad.checking import JITTER, Report, Row, Verdict
from whygrad.cli.app import main

GUIDE = (Path(__file__).parents[2] / "docs/check.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
LAYER = next(block for block in BLOCKS if block.startswith("# my_layer.py"))
SHOWN = re.search(r"```text\n(.*?)```", GUIDE, re.DOTALL).group(1)
REPAIRED = LAYER.replace('ncij", around, w)', 'ncij", around, w[:, :, ::-1, ::-1])')


@pytest.fixture
def layer(tmp_path):
    """Return a function that writes ``my_layer.py``, in the directory in which the command runs."""

    def layer(source=LAYER):
        (tmp_path / "my_layer.py").write_text(source, encoding="utf-8")

    return layer


@pytest.fixture
def calls(monkeypatch, tmp_path, capsys):
    """Return a function that runs the command with checks that only note how they were called."""
    noted = {}
    row = Row(name="x", verdict=Verdict.RIGHT, shape=(2,), checked=2, entries=2, bound=1e-9)

    def stand_in(name):
        def check(*arguments, **options):
            noted[name] = arguments, options
            return Report(subject="y", rows=(row,), details={"engine": whygrad.engines.current_engine()})

        return check

    for name in ("check_gradient", "check_loss", "check_model", "check_op"):
        monkeypatch.setattr(whygrad.checking, name, stand_in(name))
    monkeypatch.setattr("whygrad.cli.check.compile_for", lambda run: None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        noted.clear()
        with contextlib.suppress(SystemExit):
            main(["check", *arguments])
        assert not capsys.readouterr().err
        return noted

    return run


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_python_in_the_guide_runs(number, capsys):
    exec(compile(BLOCKS[number], f"guide block {number}", "exec"), {})
    assert not capsys.readouterr().out


def test_the_guide_shows_what_its_layer_gives(layer, tmp_path, environment):
    layer()
    command = [sys.executable, "-c", "from whygrad.checking import *\nfrom whygrad.checking.user_file import *\n"]
    command[-1] += "u = load_user_file('my_layer.py'); r = check_gradient(u.f, u.backward, u.inputs, **u.options)\n"
    command[-1] += "from whygrad.checking.rendering import text; print(text(r, 80))"
    environment = environment | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=True)
    assert masked(done.stdout) == masked(SHOWN)


def test_a_wrong_layer_is_exit_code_1_and_a_right_one_0(whygrad, layer):
    layer()
    wrong = whygrad("check", "my_layer.py")
    assert (wrong.code, wrong.err) == (1, "")
    assert "x is wrong: claimed " in wrong.out
    layer(REPAIRED)
    right = whygrad("check", "my_layer.py:forward,backward", "--seed", 3)
    assert (right.code, right.err) == (0, "")
    assert "All 3 gradients are right: 256 entries compared" in right.out


def test_json_is_all_that_is_printed(whygrad, layer):
    layer("print('hello')\n" + LAYER)
    result = whygrad("check", "my_layer.py", "--json")
    report = json.loads(result.out)
    assert (report["subject"], report["right"], report["seed"]) == ("my_layer.py", False, 0)
    assert [row["verdict"] for row in report["rows"]] == ["wrong", "right", "right"]
    assert (result.code, result.err) == (1, "hello\n")


@pytest.mark.parametrize("target", [["relu"], ["linear", "--dtype", "float32"], ["hinge"], ["softmax", "--full"]])
@pytest.mark.parametrize("engine", ["compiled", "definition"])
def test_operations_and_losses_are_checked(whygrad, target, engine):
    result = whygrad("check", *target, "--engine", engine)
    assert result.code == 0, result.out + result.err
    assert result.out.startswith(target[0])
    assert f"engine {engine}" in result.out
    assert result.err == ""


def test_a_model_is_checked(whygrad):
    result = whygrad("check")
    assert result.code == 0, result.out + result.err
    assert result.out.startswith("digits_cnn")
    assert "All 9 gradients are right" in result.out


def test_files_get_their_functions_and_options(calls, layer):
    layer()
    (f, backward, inputs), options = calls("my_layer.py", "--full", "--seed", "2", "--time-limit", "5")[
        "check_gradient"
    ]
    assert (f.__name__, backward.__name__, list(inputs)) == ("forward", "backward", ["x", "w", "b"])
    assert options == {"seed": 2, "full": True, "time_limit": 5.0, "subject": "my_layer.py", "progress": None}
    assert calls("my_layer.py")["check_gradient"][1]["full"] is None


def test_operations_and_losses_get_their_options(calls):
    assert calls("relu")["check_op"] == (("relu",), {"seed": 0, "dtype": "float64", "full": None})
    options = {"seed": 1, "dtype": "float32", "full": True}
    assert calls("hinge", "--dtype", "float32", "--full", "--seed", "1")["check_loss"] == (("hinge",), options)


@pytest.mark.parametrize(("name", "shape"), [("digits_cnn", (1, 8, 8)), ("lenet5", (1, 28, 28))])
def test_models_get_images_and_are_moved_off_the_kinks(calls, name, shape):
    (_, params, x, labels), options = calls(name)["check_model"]
    assert (x.shape, x.dtype, labels.shape) == ((2, *shape), "float64", (2,))
    assert all(array.dtype == "float64" for array in params.values())
    assert options == {"seed": 0, "full": False, "jitter": JITTER, "progress": None}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["conv2"], "received 'conv2'; did you mean conv2d?"),
        (["zzz"], "losses binary_cross_entropy, cross_entropy"),
        (["my_layer"], "for your file write my_layer.py"),
        (["my_layr.py"], "my_layr.py: expected a Python file, received none; is it my_layer.py?"),
        (["my_layer.py:a,b,c"], "write my_layer.py:forward,backward"),
        (["my_layer.py:forward,bakward"], "try my_layer.py:forward,backward"),
        (["my_layer.py", "--dtype", "float32"], "--dtype: expected it with an operation or a loss"),
        (["digits_cnn", "--dtype", "float32"], "received it with the model digits_cnn; leave it out"),
        (["relu", "--time-limit", "1"], "--time-limit: expected it with a file"),
        (["relu", "--dtype", "float16"], "float16"),
        (["relu", "--engine", "steam"], "steam"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(whygrad, layer, arguments, text):
    layer()
    result = whygrad("check", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert text in result.err


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = nmupy", "my_layer.py, line 1: expected a file that can be imported, received NameError"),
        ("def forward(x): return x\ndef backward(dy): return dy", "def inputs(rng): return"),
        ("def forward(x): return x.y\ndef backward(dy): return dy\ninputs = 1.0", "line 1 of my_layer.py"),
        ("while True: pass", "expected a value within 0.5 s"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_and_exit_code_1(whygrad, layer, source, text):
    layer(source)
    result = whygrad("check", "my_layer.py", "--time-limit", 0.5)
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert text in result.err


def test_functions_may_import_from_their_folder_when_they_are_called(whygrad, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/helper.py").write_text("def double(x): return 2 * x\n")
    source = "def forward(x):\n    from helper import double\n    return double(x)\n"
    (tmp_path / "sub/late.py").write_text(
        source + "def backward(dy): return 2 * dy\ndef inputs(rng): return rng.random(3)\n"
    )
    result = whygrad("check", "sub/late.py")
    assert result.code == 0, result.err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_an_interruption_is_one_line_and_exit_code_130(layer, tmp_path, environment):
    layer("import time\nprint('begun', flush=True)\ntime.sleep(60)")
    command = [sys.executable, "-m", "whygrad", "check", "my_layer.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert (process.returncode, error) == (130, "whygrad: interrupted\n")


def test_the_help_has_an_example(whygrad):
    assert "Example: whygrad check my_layer.py" in whygrad("check", "--help").out
