"""What every entry of every operation's value and gradients is the sum of, a file an operation."""

from whygrad.explanation.terms.registry import RULES, rule
from whygrad.explanation.terms.rule import Call, Cell, Factor, Rule, Term, total

__all__ = ["RULES", "Call", "Cell", "Factor", "Rule", "Term", "rule", "total"]
