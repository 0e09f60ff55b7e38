"""Gradients against differences, with a verdict and its evidence."""

from whygrad.checking.gradient import check_gradient
from whygrad.checking.hessian_vector import check_hessian_vector
from whygrad.checking.model import INPUT, JITTER, check_model
from whygrad.checking.operation import check_loss, check_op
from whygrad.checking.report import Entry, Kink, Report, Row, Verdict

__all__ = [
    "INPUT",
    "JITTER",
    "Entry",
    "Kink",
    "Report",
    "Row",
    "Verdict",
    "check_gradient",
    "check_hessian_vector",
    "check_loss",
    "check_model",
    "check_op",
]
