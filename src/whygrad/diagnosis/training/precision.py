"""The suspicion that float32 or float16 is why a training fails."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whygrad.diagnosis.training.batches import cast_batch
from whygrad.diagnosis.training.report import Trial, fault
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.suspicions import Remedy, Suspicion
from whygrad.diagnosis.training.trials import run


def suspect_precision(subject: Subject, given: Trial) -> Iterator[Suspicion]:
    """Yield that float32 is why a training fails."""
    narrow = [n for n in subject.names if subject.params[n].dtype in (np.float32, np.float16)]
    if not narrow:
        return
    wide = subject.exact()
    if wide is subject:
        return
    says = f"the parameters are {subject.params[narrow[0]].dtype}, and in float64 the same training learns"
    finding = fault(
        "numbers",
        "float32_precision",
        says,
        lesson=(
            "float32 has 7 digits, float16 three: small updates of large numbers are lost, and differences "
            "of near ones keep none."
        ),
        also=() if given.finite else ("overflow",),
    )
    yield Suspicion(
        finding,
        [
            Remedy(
                lambda: run(
                    subject,
                    "in float64",
                    subject.stepper(),
                    params=wide.params,
                    through=lambda b: cast_batch(b, np.float64),
                ),
                "compute what cancels or overflows in float64",
            )
        ],
    )
