"""LaTeX that compiles, for every operation and loss."""

import shutil
import subprocess

import numpy as np
import pytest

from tests.explanation.shared import arrays_of, traced_loss, traced_operation
from whygrad.explanation.entry import Explanation, Part
from whygrad.explanation.latex import body, document
from whygrad.explanation.terms import rule
from whygrad.losses.registry import LOSSES
from whygrad.ops.registry import OPERATIONS


def explanations():
    """Yield an explanation of one entry of each array of each operation and loss."""
    rng = np.random.default_rng(0)
    calls = [
        traced_operation(name, sample, rng)
        for name, entry in OPERATIONS.items()
        for sample in entry.samples(rng)[:2]
    ]
    calls += [traced_loss(name, sample) for name, entry in LOSSES.items() for sample in entry.samples(rng)]
    for call in calls:
        for name, array in arrays_of(call).items():
            found, at = rule(call.op, name), tuple(n // 2 for n in array.shape)
            terms = tuple(found.terms(call, *at))
            symbol = f"{name}[{','.join(map(str, at))}]" if at else "E"
            bindings = {"x": "pool_1", "w": "conv1.weight", "y": "a&b%"}
            words = found.words(call, at, list(terms))
            part = Part("layer_1", call.op, symbol, found.formula, found.where, bindings, terms, words)
            yield Explanation("parameter", symbol, float(array[at]), (part,), sentence=words)


def test_every_explanation_is_written_in_latex():
    for explanation in explanations():
        written = document(explanation)
        assert written.startswith(r"\documentclass")
        assert written.count("{") == written.count("}")
        assert "?" not in body(explanation)


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="pdflatex is not installed (Debian: texlive-latex-base)"
)
def test_latex_compiles(tmp_path):
    every = list(explanations())
    text = document(every[0]).replace(r"\end{document}", "\n\n".join(map(body, every[1:])) + "\n\\end{document}")
    (tmp_path / "all.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    log = (tmp_path / "all.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert (tmp_path / "all.pdf").stat().st_size > 10_000
