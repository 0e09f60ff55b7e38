"""The worked examples of the guide, verified."""

import json
import re
from pathlib import Path

import pytest

from whygrad.explanation.verification import Verdict, verify
from whygrad.explanation.verification.rendering import text

EXAMPLES = Path(__file__).parents[3] / "examples/verify"
GUIDE = (Path(__file__).parents[3] / "docs/verify.md").read_text(encoding="utf-8")


def verdicts(row):
    return [cell.verdict for cell in row.cells]


def wrong(row):
    return {cell.index: cell.right for cell in row.cells if cell.verdict is Verdict.WRONG}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_guide_shows_the_example_and_what_is_found(path):
    assert path.read_text(encoding="utf-8").strip() in GUIDE
    assert str(verify(path)).strip() in GUIDE


def test_the_sign_of_the_error_is_the_first_wrong_step_and_the_rest_follows():
    found = verify(EXAMPLES / "desired_filter.toml").attempts[0]
    row, cell = found.first_wrong
    assert (row.key, cell.index, cell.right) == ("delta.relu", (0, 0), 2.0)
    assert "sign" in row.mistake
    for key in ("gradient.conv.weight", "new.conv.weight"):
        assert found[key].counts == {Verdict.RIGHT: 1, Verdict.FOLLOWS: 3}
    assert [cell.right for cell in found["new.conv.weight"].cells] == [0, 0, 1, 0]


def test_two_entries_of_the_answer_are_wrong_and_its_filter_is_right():
    found = verify(EXAMPLES / "desired_filter_answer.toml")
    assert wrong(found["gradient.conv.weight"]) == {(0, 0): -1.0, (1, 0): -1.0}
    new = found["new.conv.weight"]
    assert set(verdicts(new)) == {Verdict.RIGHT}
    assert "1.5 would follow" in new.cells[0].note


def test_deltas_are_right_two_are_truncated_and_the_gradient_follows_from_them():
    found = verify(EXAMPLES / "pooled_kernel.toml")
    assert found.right
    assert set(verdicts(found["delta.pool"])) == {Verdict.RIGHT}
    cut = {cell.index: cell.note for cell in found["delta.conv"].cells if cell.verdict is Verdict.TRUNCATED}
    assert list(cut) == [(2, 1), (3, 3)]
    assert "0.0468" in cut[2, 1]
    assert "−0.0682" in cut[3, 3]
    assert set(verdicts(found["gradient.conv.weight"])) == {Verdict.FROM_PRINTED}
    exact = found.attempts[1]
    assert set(exact.counts) == {Verdict.RIGHT}


def test_a_kernel_that_was_not_flipped_is_named_and_what_follows_is_told_apart():
    found = verify(EXAMPLES / "two_channels.toml")
    assert "not flipped" in found["delta.relu1"].mistake
    assert found.attempts[0].first_wrong[0].key == "delta.relu1"
    for key in ("delta.conv1", "gradient.conv1.weight", "gradient.conv1.bias", "new.conv1.weight"):
        assert Verdict.WRONG not in found[key].counts
        assert found[key].after


def test_the_format_that_the_guide_describes_is_read(tmp_path):
    described = next(block for block in re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL) if '"Mine"' in block)
    path = tmp_path / "mine.toml"
    path.write_text(described, encoding="utf-8")
    found = verify(path)
    assert (found.subject, found.right) == ("Mine", True)
    assert [row.key for row in found.attempts[0]] == [
        "value.conv1",
        "loss",
        "delta.conv1",
        "gradient.conv1.weight",
        "new.conv1.weight",
    ]


def test_a_report_shows_itself_as_text_html_and_json():
    found = verify(EXAMPLES / "desired_filter_answer.toml")
    page = found._repr_html_()
    assert "first wrong step" in page
    assert "<script" not in page
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["right"] is False
    narrow = text(found, width=60)
    assert max(map(len, narrow.splitlines())) <= 110
    assert "(−2)·1 + (−1)·(−1) + 0·0 + 0·1 = −1" in str(found)
