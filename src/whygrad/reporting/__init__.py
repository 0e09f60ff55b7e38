"""A run on one page: curves, confusion, mistakes, filters and checks."""

from whygrad.reporting.checks import Finding, training_checks
from whygrad.reporting.gathering import Gathered, gather
from whygrad.reporting.page import page, write_report

__all__ = ["Finding", "Gathered", "gather", "page", "training_checks", "write_report"]
