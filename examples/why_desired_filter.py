"""A filter that will not learn: the four diagnoses of ``desired_filter.py``, by the diagnosis of trainings."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import desired_filter as question
from whygrad import diagnose_training, half_squared_error
from whygrad.ops import conv2d, relu


def training(unit, sign=1):
    """Return loss and gradients of the filter, with a sign of the gradient."""

    def passes(params, batch):
        x, t = batch
        h, through_conv = conv2d(x, params["filter"])
        y, through_unit = unit(h)
        value, dy = half_squared_error(y, t)
        return value, through_conv(through_unit(dy))[1]

    return {
        "loss": lambda params, batch: passes(params, batch)[0],
        "gradients": lambda params, batch: {"filter": sign * passes(params, batch)[1]},
    }


def ask(rate, target=question.TARGET, unit=relu, sign=1):
    """Return the diagnosis of the filter's training."""
    batch = question.INPUT[None, None], target[None, None]
    params = {"filter": question.FILTER[None, None]}
    return diagnose_training(params=params, batch=batch, learning_rate=rate, **training(unit, sign))


def main():
    """Ask four times."""
    print("1. Subtracting the correlation with error = target - output, rate 0.5\n")
    print(ask(0.5, sign=-1), "\n")
    print("2. The right sign, rate 0.5\n")
    print(ask(0.5), "\n")
    print("3. Rate 0.1\n")
    print(ask(0.1), "\n")
    print("4. Rate 0.1, without a ReLU, and the target that the filter [[1, 0], [0, 0]] gives\n")
    print(ask(0.1, question.TARGET_BELOW_ZERO, question.no_unit))


if __name__ == "__main__":
    main()
