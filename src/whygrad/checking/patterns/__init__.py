"""Sentences on a wrong gradient: where it is wrong, and what explains it."""

from whygrad.checking.patterns.findings import Sampled, axis_names, findings

__all__ = ["Sampled", "axis_names", "findings"]
