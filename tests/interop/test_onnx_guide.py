"""What docs/onnx.md says is true."""

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

from whygrad.interop.onnx import save_onnx
from whygrad.models import resnet20

PAGE = (Path(__file__).parents[2] / "docs/onnx.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_python_in_the_guide_runs(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = resnet20(input_shape=(3, 64, 64))
    save_onnx("resnet18.onnx", model, model.init(np.random.default_rng(0)))
    exec(compile(BLOCKS[number], f"docs/onnx.md block {number}", "exec"), {})
    assert ("This weight was used at" in capsys.readouterr().out) == ("explain" in BLOCKS[number])
