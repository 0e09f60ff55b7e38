"""``whygrad diagnose``, and what its guide says."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.diagnosis.planting import SUBJECTS
from whygrad.cli.app import main
from whygrad.diagnosis.lessons import LESSONS
from whygrad.diagnosis.mistakes.losses import loss_mistakes

GUIDE = (Path(__file__).parents[2] / "docs/diagnose.md").read_text(encoding="utf-8")
BLOCKS = re.findall(
    r"```python\n(.*?)```(?:(?!```python).)*?(?:```text\n(.*?)```|(?=```python)|\Z)", GUIDE, re.DOTALL
)
LAYER = next(code for code, _ in BLOCKS if code.startswith("# my_layer.py"))
RIGHT = LAYER.replace("((r, r), (s, s))), w[f, c])", "((r, r), (s, s))), w[f, c, ::-1, ::-1])").replace(
    "mean(", "sum("
)
UNKNOWN = RIGHT.replace("dy.sum(axis=(0, 2, 3))", "np.cos(b * dy.sum()) + np.arange(len(b))")


def plain(text):
    """Return what is shown without what rounding and times make of it."""
    text = re.sub(r"exactly|to \d+e-\d+ of the largest", "#", text)
    text = re.sub(r" is off by [\d.e-]+", " is off", text)
    return " ".join(text.split())


@pytest.fixture
def whygrad(tmp_path, monkeypatch, capsys):
    """Run the command in this process: files of a person run in another one anyway."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        shown = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code, out=shown.out, err=shown.err)

    return run


@pytest.fixture
def layer(tmp_path):
    def layer(source, name="my_layer.py"):
        (tmp_path / name).write_text(source, encoding="utf-8")
        return name

    return layer


def test_the_readme_shows_what_its_wrong_convolution_gives(capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n([^`]*whygrad\.diagnose\([^`]*)```\s*```text\n(.*?)```", readme, re.DOTALL)
    code, shown = example
    exec(compile(code, "README block", "exec"), {})
    assert plain(capsys.readouterr().out) == plain(shown)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_guide_shows_what_its_python_prints(number, capsys):
    code, shown = BLOCKS[number]
    exec(compile(code, f"guide block {number}", "exec"), {})
    printed = capsys.readouterr().out
    if not code.startswith("# my_layer.py"):
        assert plain(printed) == plain(shown)


def test_the_guide_shows_what_its_layer_gives(whygrad, layer):
    done = whygrad("diagnose", layer(LAYER))
    assert plain(done.out) == plain(dict(BLOCKS)[LAYER])
    assert done.code == 1
    assert not done.err


def test_the_guide_lists_every_cause():
    listed = set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))
    assert listed == set(LESSONS)
    mistakes = [m for s in SUBJECTS.values() for m in s.mistakes] + list(loss_mistakes())
    assert {label for m in mistakes for label in (m.label, *m.also)} <= listed


@pytest.mark.parametrize(("source", "code", "cause"), [(RIGHT, 0, "no_bug"), (LAYER, 1, "kernel_not_rotated")])
def test_right_code_is_exit_code_0_and_wrong_code_1(whygrad, layer, source, code, cause):
    done = whygrad("diagnose", layer(source), "--json")
    assert done.code == code
    assert json.loads(done.out)["cause"] == cause
    assert not done.err


def test_an_unknown_cause_is_exit_code_3(whygrad, layer):
    done = whygrad("diagnose", layer(UNKNOWN))
    assert done.code == 3
    assert "The cause is not known." in done.out
    assert "dx  ✓ right" in done.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.py",), "nowhere.py: expected a Python file, received none"),
        (("notes.txt",), "expected a Python file or a dump"),
        (("dump.npz",), "dump.npz: expected a dump of arrays, received none"),
        (("my_layer.py", "--op", "convolve"), "expected op as one of"),
        (("my_layer.py:nothing",), "expected a function nothing"),
        (("my_layer.py", "--stride", "0"), "--stride"),
    ],
)
def test_wrong_usage_is_exit_code_2(whygrad, layer, arguments, says):
    layer(LAYER)
    done = whygrad("diagnose", *arguments)
    assert done.code == 2
    assert says in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert not done.out


FAULTY = {
    "raises": ("raise KeyError('w')", "KeyError"),
    "exits": ("import sys; sys.exit(3)", "SystemExit"),
    "ends the process": ("import os; os._exit(7)", "ended with code 7"),
    "aborts": ("import os; os.abort()", "ended with code -6"),
    "never returns": ("while True: pass", "did not come back"),
    "sleeps": ("import time; time.sleep(1000)", "did not come back"),
    "recurses": ("return backward(dy, x, w, b)", "RecursionError"),
    "returns words": ("return 'dx', 'dw', 'db'", "None"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_code_that_fails_is_reported(whygrad, layer, fault):
    body, says = FAULTY[fault]
    source = f'op = "conv2d"\ndef backward(dy, x, w, b):\n    {body}\n'
    began = time.monotonic()
    done = whygrad("diagnose", layer(source), "--time-limit", "1")
    assert time.monotonic() - began < 60
    assert done.code in (1, 3)
    assert says in done.out
    assert "Traceback" not in done.out + done.err


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def backward(dy, x:\n", "SyntaxError"),
        ("import not_there\n", "ModuleNotFoundError"),
        ("raise SystemExit('no')\n", "SystemExit"),
        ("x = 1\n", "a function backward, or one layer class"),
        ("def backward(dy, x): return dy\n", 'add op = "conv2d" to the file'),
        ("def a_backward(dy, x): return dy\ndef b_backward(dy, x): return dy\n", "name yours"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(whygrad, layer, source, says):
    done = whygrad("diagnose", layer(source, "mine.py"))
    assert done.code == 2
    assert says in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_a_file_that_ends_its_process_when_it_is_imported(whygrad, layer):
    done = whygrad("diagnose", layer("import os; os._exit(0)\n"))
    assert done.code == 3
    assert "nothing could be judged" in done.out.lower()


def test_what_a_file_prints_does_not_get_into_the_answer(whygrad, layer):
    noisy = RIGHT.replace("    dx, dw = np", "    print('x' * 100_000)\n    dx, dw = np")
    done = whygrad("diagnose", layer("print('hello')\n" + noisy), "--json")
    content = json.loads(done.out)
    assert content["healthy"]
    assert content["notes"] == ["it prints"]


def test_code_that_writes_to_its_inputs_is_told(whygrad, layer):
    careless = RIGHT.replace("    dx, dw = np", "    dy -= 0; x *= 1.5\n    dx, dw = np")
    done = whygrad("diagnose", layer(careless))
    assert done.code == 1
    assert "cache_overwritten_in_place" in done.out
    assert "it writes to x, which belongs to whoever calls it" in done.out


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_interrupting_leaves_no_process_behind(layer, tmp_path, environment):
    source = 'import os, time\nop = "conv2d"\nopen("started", "w").write(str(os.getpid()))\n'
    layer(source + "def backward(dy, x, w, b):\n    while True: pass\n")
    command = [sys.executable, "-m", "whygrad", "diagnose", "my_layer.py", "--time-limit", "50"]
    child = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(600):
        if (tmp_path / "started").is_file() and (tmp_path / "started").read_text():
            break
        time.sleep(0.1)
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert b"Traceback" not in out + err
    time.sleep(0.5)
    assert not Path(f"/proc/{(tmp_path / 'started').read_text()}").exists()


def test_two_functions_of_one_file(whygrad, layer):
    source = "import numpy as np\ndef f(x): return np.tanh(x)\ndef g(dy, x): return dy * (1 - np.tanh(x))\n"
    done = whygrad("diagnose", layer(source) + ":f,g")
    assert done.code == 1
    assert "activation_derivative_formula_wrong" in done.out
    assert whygrad("diagnose", "my_layer.py:g", "--op", "tanh").code == 1


def test_a_layer_class_a_loss_and_a_network(whygrad, layer):
    relu = "op = 'relu'\nclass R:\n    def forward(self, x):\n        self.x = x\n        return x * (x > 0)\n"
    done = whygrad("diagnose", layer(relu + "    def backward(self, dy): return dy * (dy > 0)\n"))
    assert "relu_mask_wrong_tensor" in done.out
    loss = "def loss(z, t): return ((z - t) ** 2).sum()\ndef gradient(z, t): return 2 * (t - z)\n"
    inputs = "def inputs(rng): return rng.normal(size=(3, 2)), rng.normal(size=(3, 2))\n"
    assert "sign_error" in whygrad("diagnose", layer(loss + inputs)).out
    net = "def loss(p, x): return (x @ p['w']).sum()\ndef gradients(p, x): return {'w': x.mean(0)}\n"
    inputs = "def inputs(rng): return {'w': rng.normal(size=3)}, rng.normal(size=(4, 3))\n"
    done = whygrad("diagnose", layer(net + inputs))
    assert "batch_scale_wrong" in done.out
    assert "~ convention" in done.out


def test_a_dump(whygrad, tmp_path):
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    np.savez(tmp_path / "dump.npz", X=x, dout=dy, W=rng.normal(size=(3, 2)), dW=x.T @ dy / 4, op="linear")
    done = whygrad("diagnose", "dump.npz", "--weights", "IO")
    assert done.code == 1
    assert "Your dw is 1/4 times what it should be." in done.out
    assert whygrad("diagnose", "dump.npz", "--op", "conv2d").code == 2
