"""Bad files: the line, the key, what was expected, and what to do."""

import pytest

from whygrad.errors import WhygradError
from whygrad.explanation.verification import verify

GOOD = """input = [[1.0, 2.0], [3.0, 4.0]]
learning_rate = 0.1
[[layers]]
name = "conv"
op = "conv2d"
weight = [[1.0]]
[[layers]]
name = "pool"
op = "max_pool2d"
kernel_size = 2
[loss]
op = "half_squared_error"
target = [[1.0]]
[claims]
value.conv = [[1.0, 2.0], [3.0, 4.0]]
loss = 4.5
"""
CASES = [
    ("weight = [[1.0]]", "weight = [[1.0]", "line", "TOML"),
    ("weight = [[1.0]]\n", "", "line 3", "weight"),
    ('op = "conv2d"', 'op = "conv2"', "line 5", "did you mean conv2d"),
    ('op = "max_pool2d"\n', "", "line 7", "op"),
    ("kernel_size = 2", "kernel_sise = 2", "line 10", "kernel_size"),
    ("kernel_size = 2", "kernel_size = 9", "line 7", "max_pool2d"),
    ("weight = [[1.0]]", "weight = [[1.0, 2.0], [1.0]]", "line 6", "rows of one size"),
    ("weight = [[1.0]]", 'weight = [["x"]]', "line 6", "finite number"),
    ("weight = [[1.0]]", "weight = [[[[1.0],[1.0]],[[1.0],[1.0]]]]", "line 3", "channels"),
    ("weight = [[1.0]]", "weight = [[inf]]", "line 6", "finite"),
    ("weight = [[1.0]]", "weight = true", "line 6", "numbers"),
    ("value.conv = [[1.0, 2.0], [3.0, 4.0]]", "value.conv = [1.0, 2.0]", "line 15", "shape (1, 1, 2, 2)"),
    ("value.conv = [[1.0, 2.0], [3.0, 4.0]]", "value.cnv = 1", "line 15", "did you mean conv"),
    ("value.conv = [[1.0, 2.0], [3.0, 4.0]]", 'value.conv = {"0,5" = 1.0}', "line 15", "0,0,1,1"),
    ("value.conv = [[1.0, 2.0], [3.0, 4.0]]", "gradient.pool.weight = 1", "line 15", "conv"),
    ("value.conv = [[1.0, 2.0], [3.0, 4.0]]", "gradient.conv.bias = 1", "line 15", "weight"),
    ("target = [[1.0]]", "target = [[1.0, 2.0]]", "line 13", "target of shape (1, 1, 1, 1)"),
    ("target = [[1.0]]\n", "", "line 11", "target"),
    ('op = "half_squared_error"', 'op = "squares"', "line 12", "loss"),
    ('name = "pool"', 'name = "conv"', "line 7", "name of its own"),
    ("learning_rate = 0.1", "learning_rat = 0.1", "line 2", "learning_rate"),
    ("learning_rate = 0.1\n", 'convention = "physics"\n', "line 2", "hertz"),
    ("input = [[1.0, 2.0], [3.0, 4.0]]\n", "", "input", "shape"),
    ("kernel_size = 2", "kernel_size = 2\nwinners = [[[5, 0]]]", "line 11", "places from"),
]


@pytest.mark.parametrize(("old", "new", "line", "said"), CASES)
def test_an_error_names_the_line_and_what_was_expected(tmp_path, old, new, line, said):
    assert old in GOOD
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(WhygradError) as caught:
        verify(path)
    message = str(caught.value)
    assert message.startswith("mine.toml")
    assert line in message
    assert said in message


def test_the_unchanged_file_is_right(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert verify(path).right


def test_nothing_claimed_and_no_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD[: GOOD.index("[claims]")], encoding="utf-8")
    with pytest.raises(WhygradError, match="numbers to verify"):
        verify(path)
    with pytest.raises(WhygradError, match="TOML file"):
        verify(tmp_path / "none.toml")


def test_new_weights_need_a_learning_rate():
    network = {"input": [1.0], "layers": [{"op": "linear", "name": "fc", "weight": [[1.0]]}]}
    with pytest.raises(WhygradError, match="learning_rate"):
        verify({**network, "claims": {"new": {"fc": {"weight": [[1.0]]}}}})
