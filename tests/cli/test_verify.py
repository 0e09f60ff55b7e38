"""``whygrad verify``."""

import json
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples/verify"


@pytest.mark.parametrize(("name", "code"), [("pooled_kernel", 0), ("desired_filter", 1), ("two_channels", 1)])
def test_the_exit_code_says_whether_every_number_is_right(whygrad, name, code):
    done = whygrad("verify", EXAMPLES / f"{name}.toml")
    assert done.code == code
    assert not done.err
    assert ("truncated instead of rounded" in done.out) == (code == 0)
    assert ("The first wrong step is" in done.out) == (code == 1)


def test_json_holds_every_cell(whygrad):
    done = whygrad("verify", EXAMPLES / "desired_filter_answer.toml", "--json")
    report = json.loads(done.out)
    assert done.code == 1
    assert report["attempts"][0]["first_wrong"] == {"key": "gradient.conv.weight", "index": [0, 0]}
    cells = report["attempts"][0]["rows"][1]["cells"]
    assert [cell["verdict"] for cell in cells] == ["wrong", "right", "wrong", "right"]
    assert cells[0]["working"]["numbers"].endswith("= −1")


def test_a_file_that_cannot_be_understood_is_wrong_usage(whygrad, tmp_path):
    (tmp_path / "bad.toml").write_text("input = [1\n", encoding="utf-8")
    for name in ("bad.toml", "none.toml"):
        done = whygrad("verify", name)
        assert done.code == 2
        assert done.err.startswith(f"whygrad: {name}")
        assert done.err.count("\n") == 1
