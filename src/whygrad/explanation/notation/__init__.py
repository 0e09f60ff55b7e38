"""The notation of formulas: one text, shown as it is, as LaTeX, or as MathML.

``dw[f,c] = Σ_{n} dy[n,f]·x[n,c]`` has sums and maxima over indices, products with ·, fractions with /, powers
with ^, roots with √, conditions in brackets that count 1 or 0, and indices in brackets after a name. A name that
begins with d is a gradient: dw is ∂E/∂w.
"""

from whygrad.explanation.notation.as_latex import escaped, latex
from whygrad.explanation.notation.as_mathml import mathml
from whygrad.explanation.notation.parsing import Node, parse

__all__ = ["Node", "escaped", "latex", "mathml", "parse"]
