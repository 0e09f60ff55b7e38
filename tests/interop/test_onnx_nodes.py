"""Every test that ONNX has of an operation that can be read: it passes, or is refused for a reason that we name."""

import pytest

pytest.importorskip("onnx")

from pathlib import Path

import onnx

from tests.interop.onnx_node_tests import node_tests, run, table

PAGE = Path(__file__).parents[2] / "docs/onnx.md"


@pytest.mark.parametrize("name", sorted(node_tests()))
def test_an_operation_is_what_onnx_says(name, tmp_path):
    result = run(node_tests()[name], tmp_path)
    assert result.how or result.reason


def test_the_page_counts_them():
    text = PAGE.read_text(encoding="utf-8")
    if f"onnx {onnx.__version__}" not in text:
        pytest.skip("the table was made with another version of onnx, which has other tests")
    assert table() in text
