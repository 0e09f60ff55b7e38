"""The Python of the guide runs, one section after the other."""

import re
from pathlib import Path

import pytest

from whygrad import DependencyError

GUIDE = Path(__file__).parents[2] / "docs" / "interop.md"
SECTIONS = {
    title: "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    for title, text in re.findall(
        r"^## (.*?)$(.*?)(?=^## |\Z)", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
}
NEEDS = {"PyTorch": "torch", "scikit-learn": "sklearn", "TensorBoard": "tensorboardX"}


def test_there_are_sections():
    assert set(SECTIONS) == {*NEEDS, "Notebooks"}
    assert all(SECTIONS.values())


@pytest.mark.parametrize("title", SECTIONS)
def test_python_runs(title, tmp_path, monkeypatch, capsys):
    pytest.importorskip(NEEDS.get(title, "whygrad"))
    monkeypatch.chdir(tmp_path)
    names = {}
    try:
        exec(compile(SECTIONS[title], f"docs/interop.md, {title}", "exec"), names)
    except DependencyError as missing:
        pytest.skip(str(missing))
    printed = capsys.readouterr().out
    if title == "PyTorch":
        assert "5 is the batch size" in " ".join(printed.split())
        mended = type(
            "Mended",
            (names["Linear"],),
            {"backward": staticmethod(lambda ctx, dy: _mended(names["Linear"], ctx, dy))},
        )
        torch = names["torch"]
        report = names["check"](mended, (torch.randn(5, 4), torch.randn(3, 4), torch.randn(3)))
        assert "where dy is not contiguous, it fails" in str(report)
    if title == "TensorBoard":
        assert list((tmp_path / "board").iterdir())


def _mended(linear, ctx, dy):
    dx, dw, _ = linear.backward(ctx, dy)
    return dx, dw, dy.view(-1).view(dy.shape).sum(dim=0)
