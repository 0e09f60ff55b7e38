"""The worked questions, answered by the diagnosis of trainings itself."""

import numpy as np
import pytest

from tests.examples.scripts import EXAMPLES, load
from whygrad import diagnose_training


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))


def test_all_nan_is_the_gradients_fault_and_after_that_the_rates():
    script = load("why_all_nan")
    import all_nan

    batch, params = script.problem()
    given = {"params": params, "batch": batch}
    told = diagnose_training(**given, **script.training(all_nan.wrong, all_nan.no_unit), learning_rate=1e-4)
    assert told.cause in ("gradient_wrong", "output_used_instead_of_input")
    assert "one number in all 9 entries" in str(told).replace("\n", " ")
    assert not told.trials[0].finite
    assert told.trials[1].last < told.trials[1].first
    right = script.training(all_nan.right, all_nan.no_unit)
    assert diagnose_training(**given, **right, learning_rate=1e-5).cause == "no_bug"
    high = diagnose_training(**given, **right, learning_rate=7e-4)
    assert high.cause == "learning_rate_too_high"
    assert not high.trials[0].finite
    clipped = script.clipped(script.training(all_nan.wrong, all_nan.no_unit)["gradients"], 1.0, 1e-4)
    hidden = diagnose_training(
        **given, **script.training(all_nan.wrong, all_nan.no_unit), step=clipped, learning_rate=1e-4
    )
    assert hidden.cause == told.cause
    assert hidden.trials[0].finite


def test_the_four_diagnoses_of_the_filter():
    script = load("why_desired_filter")
    assert script.ask(0.5, sign=-1).cause == "sign_error"
    high = script.ask(0.5)
    assert high.cause == "learning_rate_too_high"
    assert "dead_units" in high.also
    assert high.trials[0].losses[-1] == 1
    low = script.ask(0.1)
    assert low.healthy
    assert "2 of the 4 directions" in low["solution"].says
    linear = script.ask(0.1, script.question.TARGET_BELOW_ZERO, script.question.no_unit)
    assert linear.healthy
    assert "solution" not in [finding.output for finding in linear.findings]
    np.testing.assert_allclose(linear.trials[0].params["filter"][0, 0], [[1, 0], [0, 0]], atol=0.1)
