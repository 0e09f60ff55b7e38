"""Checking gradients against finite differences."""

from whygrad.checking.finite_differences import Comparison, compare, compare_pullback
from whygrad.checking.sample import TOLERANCE, compare_sample

__all__ = ["TOLERANCE", "Comparison", "compare", "compare_pullback", "compare_sample"]
