"""A person's file: what is found in it, and what is said where something is missing."""

import os
import re
import sys

import numpy as np
import pytest

from whygrad.checking.user_file import load_user_file, parse_target
from whygrad.errors import FileError, OptionError

PAIR = """
import numpy as np

def forward(x, w, b=None):
    return x @ w

def backward(dy, x, w):
    return dy @ w.T, x.T @ dy
"""
INPUTS = """
def inputs(rng):
    return {"w": rng.normal(size=(4, 2)), "x": rng.normal(size=(3, 4))}
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(source, name="my_layer.py"):
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        return path

    return write


def function(name, arguments="x"):
    return f"\ndef {name}({arguments}): return {name!r}\n"


@pytest.mark.parametrize(
    ("target", "path", "names"),
    [
        ("my_layer.py", "my_layer.py", None),
        ("a/b c.py:f,grad", "a/b c.py", ("f", "grad")),
        ("a.py: f , grad ", "a.py", ("f", "grad")),
        ("a.py:f", "a.py", ("f",)),
        (r"C:\x.py", r"C:\x.py", None),
        (r"C:\x.py:f,b", r"C:\x.py", ("f", "b")),
        ("C:/x.PY:f", "C:/x.PY", ("f",)),
        ("a.py:b.py", "a.py:b.py", None),
        ("a.py:größe", "a.py", ("größe",)),
    ],
)
def test_a_target_is_a_file_and_names(target, path, names):
    found = parse_target(target)
    assert (str(found[0]).replace("\\", "/"), found[1]) == (path.replace("\\", "/"), names)


@pytest.mark.parametrize("target", ["conv2d", "", "py", "digits_cnn:x", "folder/", "a.txt", "a.py:x/b"])
def test_other_targets_are_no_files(target):
    assert parse_target(target) is None


@pytest.mark.parametrize("rest", ["", ",", "a,b,c", "a,", "1a", "a b", "a.b"])
def test_what_are_no_names_is_refused(rest):
    with pytest.raises(OptionError, match=re.escape("write my.py:forward,backward or my.py:function")):
        parse_target(f"folder/my.py:{rest}")


def test_functions_and_inputs_are_found(write):
    user = load_user_file(write(PAIR + INPUTS))
    assert list(user.inputs) == ["x", "w"]  # in the order of the parameters
    y = user.f(**user.inputs)
    dx, dw = user.backward(y, **user.inputs)
    assert (y.shape, dx.shape, dw.shape) == ((3, 2), (3, 4), (4, 2))
    assert user.options == {"subject": "my_layer.py"}


def test_inputs_follow_from_the_seed(write):
    path = write(PAIR + INPUTS)
    first, again, other = (load_user_file(path, seed=seed).inputs["x"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("forward", "backward", "loss", "gradient", "f", "grad"), ("forward", "backward")),
        (("loss", "gradient", "f", "grad"), ("loss", "gradient")),
        (("f", "gradient", "grad"), ("f", "gradient")),
        (("f", "grad", "loss_and_gradient"), ("f", "grad")),
        (("loss_and_gradient", "forward"), ("loss_and_gradient", None)),
    ],
)
def test_pairs_are_looked_for_in_their_order(write, names, found):
    user = load_user_file(write("".join(map(function, names)) + "inputs = 1.0"))
    assert (user.f(0), user.backward and user.backward(0)) == found


def test_names_may_be_given(write):
    path = write(function("conv") + function("conv_backward") + "inputs = 1.0")
    user = load_user_file(path, ("conv", "conv_backward"))
    assert (user.f(0), user.backward(0)) == ("conv", "conv_backward")
    assert load_user_file(path, ("conv",)).backward is None


LAYER = """
class Base:
    def forward(self, x): return self.scale * x
    def backward(self, dy): return self.scale * dy
class Double({base}):
    def __init__(self{arguments}): self.scale = 2
inputs = 3.0
"""


def test_the_only_class_that_is_a_layer_is_used(write):
    methods = "    def forward(self, x): return 2 * x\n    def backward(self, dy): return 2 * dy\n"
    user = load_user_file(write(f"class Layer:\n{methods}\nclass Other: pass\ninputs = 3.0"))
    assert (user.f(3.0), user.backward(1.0), user.inputs) == (6.0, 2.0, {"x": 3.0})


def test_one_of_several_classes_has_to_be_named(write):
    path = write(LAYER.format(base="Base", arguments=""))
    with pytest.raises(OptionError, match=r"name one of its classes: my_layer\.py:Base$"):
        load_user_file(path)
    assert load_user_file(path, ("Double",)).f(3.0) == 6.0


def test_a_class_that_cannot_be_made_is_one_sentence(write):
    path = write(LAYER.format(base="Base", arguments=", width"))
    with pytest.raises(FileError, match=r"expected Double\(\) to be made without arguments, received TypeError: "):
        load_user_file(path, ("Double",))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("inputs = np.ones(2), np.zeros(3)", ["x", "w"]),
        ("INPUTS = [np.ones(2), np.zeros(3), np.zeros(1)]", ["x", "w", "b"]),
        ("inputs = np.ones(2)", ["x"]),
        ("inputs = [1.0, 2.0]", ["x"]),
        ("def inputs(): return np.ones(2)", ["x"]),
        ("def inputs(rng=None): return rng.random(2)", ["x"]),
        ("def inputs(generator): return generator.random(2)", ["x"]),
        ("inputs = dict(b=1.0, w=2.0, x=3.0)", ["x", "w", "b"]),
        ("inputs = dict(z=1.0, y=2.0)", ["z", "y"]),
        ("inputs = (1.0,) * 5", ["x", "w", "b", "input 4", "input 5"]),
    ],
)
def test_inputs_have_many_forms(write, source, expected):
    assert list(load_user_file(write(PAIR + source)).inputs) == expected


def test_without_inputs_it_says_what_to_write(write):
    with pytest.raises(FileError) as caught:
        load_user_file(write(PAIR))
    written = str(caught.value).partition("add, with your own sizes: ")[2]
    assert written == 'def inputs(rng): return {"x": rng.normal(size=(2, 3)), "w": rng.normal(size=(2, 3))}'
    assert list(load_user_file(write(PAIR + written)).inputs) == ["x", "w"]


def test_missing_names_list_what_there_is_and_suggest(write):
    path = write(function("conv_forward") + function("conv_bakward"))
    with pytest.raises(OptionError) as caught:
        load_user_file(path)
    assert "received conv_forward, conv_bakward; name them: my_layer.py:conv_forward,conv_bakward" in str(
        caught.value
    )
    with pytest.raises(OptionError) as caught:
        load_user_file(path, ("conv_forward", "conv_backward"))
    assert "a function conv_backward, received" in str(caught.value)
    assert str(caught.value).endswith("try my_layer.py:conv_forward,conv_bakward")


def test_imported_functions_are_not_listed_but_may_be_used(write):
    write(PAIR, "helper.py")
    assert load_user_file(write("from helper import forward, backward\ninputs = 1.0")).f.__module__ == "helper"
    with pytest.raises(OptionError, match="received a file without functions; name yours"):
        load_user_file(write("from math import sin"))


def test_a_missing_file_suggests_one_that_is_there(write, tmp_path):
    write(PAIR)
    with pytest.raises(OptionError, match=r"expected a Python file, received none; is it .*my_layer\.py\?"):
        load_user_file(tmp_path / "mylayer.py")
    with pytest.raises(OptionError, match="received a folder"):
        load_user_file(tmp_path)
    with pytest.raises(OptionError, match="check the path"):
        load_user_file(tmp_path / "nowhere" / "x.py")


@pytest.mark.parametrize(
    ("source", "place", "received"),
    [
        ("x = 1\n\ny = nmupy", "my_layer.py, line 3", "NameError: name 'nmupy' is not defined"),
        ("def f(:\n    pass", "my_layer.py, line 1", "SyntaxError: "),
        ("def f():\n    1 / 0\n\nf()", "my_layer.py, line 2", "ZeroDivisionError: "),
        ("import sys\nsys.exit(3)", "my_layer.py, line 2", "SystemExit: 3; put what ends the program under"),
        ("import json\njson.loads('{')", "my_layer.py, line 2", "JSONDecodeError: "),
        ("raise ValueError", "my_layer.py, line 1", "ValueError; python my_layer.py shows"),
        ("x = '\x00'", "my_layer.py", "SyntaxError: "),
        ("import not_a_module_at_all", "my_layer.py, line 1", "ModuleNotFoundError: "),
        (PAIR + "def inputs(): return x", "my_layer.py, line 9", "NameError: "),
    ],
)
def test_an_error_of_the_file_is_one_sentence_with_its_line(write, source, place, received):
    before = set(sys.modules)
    with pytest.raises(FileError) as caught:
        load_user_file(write(source))
    assert str(caught.value).startswith(f"{place}")
    assert f"received {received}" in str(caught.value)
    assert {name for name in set(sys.modules) - before if "my_layer" in name} <= {"_checked_by_whygrad_my_layer"}


def test_a_syntax_error_elsewhere_names_the_other_file(write):
    write("def f(:", "helper.py")
    with pytest.raises(FileError, match=r"^helper\.py, line 1: "):
        load_user_file(write("import helper"))


def test_an_interruption_passes(write):
    with pytest.raises(KeyboardInterrupt):
        load_user_file(write("raise KeyboardInterrupt"))


def test_a_second_look_reads_the_file_and_its_neighbours_anew(write, tmp_path):
    write("WIDTH = 1", "neighbour.py")
    (tmp_path / "package").mkdir()
    write("", "package/__init__.py")
    write("DEPTH = 1", "package/inner.py")
    both = "from neighbour import WIDTH\nfrom package.inner import DEPTH\ndef inputs(): return [WIDTH, DEPTH]\n"
    path = write(PAIR + both)
    assert load_user_file(path).inputs["x"] == [1, 1]
    write("WIDTH = 2", "neighbour.py")
    os.utime(tmp_path / "neighbour.py", (1, 1))  # of another age than what may have been cached
    assert load_user_file(path).inputs["x"] == [2, 1]


def test_nothing_is_left_behind(write, tmp_path):
    write("", "neighbour.py")
    path, modules, search = write("import neighbour\n" + PAIR + INPUTS), set(sys.modules), list(sys.path)
    load_user_file(path)
    assert set(sys.modules) - modules <= {"_checked_by_whygrad_my_layer"}
    assert "neighbour" not in sys.modules
    assert sys.path == search
    assert not list(tmp_path.glob("__pycache__/my_layer*"))


def test_what_it_prints_is_left_alone(write, capsys):
    load_user_file(write("print('hello')\n" + PAIR + INPUTS))
    assert capsys.readouterr().out == "hello\n"


def test_dataclasses_and_a_main_part_work(write):
    source = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    source += "@dataclass\nclass Options:\n    a: int = 1\nif __name__ == '__main__':\n    raise SystemExit\n"
    assert load_user_file(write(source + PAIR + INPUTS, "odd name-1.py")).f is not None
