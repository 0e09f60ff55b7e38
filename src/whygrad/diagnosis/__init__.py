"""``diagnose``: the bug in someone's backward pass, by name, with its evidence and how to mend it."""

from whygrad.diagnosis.arrays import diagnose_arrays
from whygrad.diagnosis.functions import diagnose
from whygrad.diagnosis.losses import diagnose_loss
from whygrad.diagnosis.networks import diagnose_network
from whygrad.diagnosis.report import Diagnosis, Finding, Judgement
from whygrad.diagnosis.training.diagnosing import diagnose_training

__all__ = [
    "Diagnosis",
    "Finding",
    "Judgement",
    "diagnose",
    "diagnose_arrays",
    "diagnose_loss",
    "diagnose_network",
    "diagnose_training",
]
