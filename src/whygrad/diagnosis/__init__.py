"""``diagnose``: the bug in someone's backward pass, by name, with its evidence and how to mend it."""

from whygrad.diagnosis.functions import diagnose
from whygrad.diagnosis.report import Diagnosis, Finding, Judgement

__all__ = ["Diagnosis", "Finding", "Judgement", "diagnose"]
