"""Worked examples verified: which numbers computed by hand are right, and where the first wrong one is."""

from whygrad.explanation.verification.report import Attempt, Cell, Row, Verification, Working
from whygrad.explanation.verification.verdicts import Verdict
from whygrad.explanation.verification.verifying import verify

__all__ = ["Attempt", "Cell", "Row", "Verdict", "Verification", "Working", "verify"]
