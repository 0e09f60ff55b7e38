"""One notation of formulas, three ways to show it."""

from xml.etree import ElementTree as ET

import pytest

from whygrad.explanation.notation import latex, mathml, parse
from whygrad.explanation.terms import RULES

FORMULAS = [found.formula for rules in RULES.values() for found in rules.values()]


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_become_well_formed_mathml_and_balanced_latex(formula):
    tree = ET.fromstring(mathml(formula))
    assert tree.tag == "math"
    assert not [one for one in tree.iter("mtext") if one.text.strip() not in ("if", "else")]
    for one in tree.iter("mfrac"):
        assert len(one) == 2
    for one in tree.iter("msub"):
        assert len(one) == 2
    written = latex(formula)
    assert written.count("{") == written.count("}")
    assert all(ord(c) < 128 for c in written), written


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a·b/c", r"a \cdot \frac{b}{c}"),
        ("(a + b)/c", r"\frac{a + b}{c}"),
        ("dw[f,c]", r"\frac{\partial E}{\partial w_{f , c}}"),
        ("−0.5·(−2)", r"- 0.5 \cdot (- 2)"),
        ("1e−9", r"1\cdot 10^{-9}"),
        ("√(v[c] + ε)", r"\sqrt{v_{c} + \varepsilon}"),
        ("e^(−x)", "e^{- x}"),
        ("[x > 0]", "[x > 0]"),
        ("conv1.weight[0,1]", r"\mathrm{conv1.weight}_{0 , 1}"),
    ],
)
def test_latex(text, wanted):
    assert latex(text) == wanted


@pytest.mark.parametrize("text", ["a +", "(a", "Σ_{n", "a $ b", "]", "", "x^", "a b"])
def test_what_cannot_be_read_is_shown_as_it_is(text):
    assert parse(text).kind == "word"
    assert ET.fromstring(mathml(text)).tag == "math"
