"""Where every number of a network comes from: forward, backward, and in the update."""

from whygrad.explanation.entry import Difference, Explanation, Part
from whygrad.explanation.explainer import Explainer, explain
from whygrad.explanation.trace import Trace, trace

__all__ = ["Difference", "Explainer", "Explanation", "Part", "Trace", "explain", "trace"]
