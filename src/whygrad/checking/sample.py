"""A quick look at a model's gradients: a few entries of every parameter against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from whygrad.checking.finite_differences import Comparison, compare
from whygrad.errors import DataError
from whygrad.layers import Layer
from whygrad.losses import cross_entropy
from whygrad.typing import Array, Loss, Params

#: The largest relative error at which a gradient of the sample counts as right.
TOLERANCE = 1e-6
#: How far parameters and images are moved off the places where many units lie on a kink.
JITTER = 0.01


def compare_sample(
    model: Layer,
    params: Params,
    images: Array,
    targets: Any,
    *,
    seed: int,
    loss: Loss = cross_entropy,
    entries: int = 4,
) -> list[Comparison]:
    """Compare entries of every parameter's gradient with finite differences of the loss, in training and float64.

    Dropout draws the same masks at every evaluation. Steps shrink where a difference steps over a kink. Fresh
    biases of 0 over empty paper lie *on* the kink of relu, where no step helps: parameters and images are
    therefore moved by random numbers of about ``JITTER`` first.

    Args:
        model: the network.
        params: its parameters.
        images: a few (N, ...).
        targets: theirs.
        seed: of the entries chosen and of the dropout masks.
        loss: gives a loss and its gradient.
        entries: how many entries of each parameter.

    Raises:
        DataError: a trained parameter that has no gradient.

    Returns:
        One comparison for each trained parameter; right where ``relative_error`` is at most ``TOLERANCE``.

    Example:
        >>> from whygrad.layers import Linear
        >>> model = Linear(3, 2)
        >>> params = model.init(np.random.default_rng(0))
        >>> rows = compare_sample(model, params, np.eye(3), np.array([0, 1, 1]), seed=0)
        >>> [(row.name, row.relative_error <= TOLERANCE) for row in rows]
        [('weight', True), ('bias', True)]
    """
    rng = np.random.default_rng(seed)
    trained = [name for name, parameter in model.parameters().items() if parameter.trained]
    exact = {name: array.astype(np.float64) for name, array in params.items()}
    exact |= {name: exact[name] + JITTER * rng.normal(size=exact[name].shape) for name in trained}
    x = images + JITTER * rng.normal(size=images.shape)

    def forward(at: Params) -> tuple[float, Array, Any]:
        y, pullback, _ = model(at, x, training=True, rng=np.random.default_rng(seed))
        value, dy = loss(y, targets)
        return value, dy, pullback

    _, dy, pullback = forward(exact)
    _, gradients = pullback(dy)
    missing = [name for name in trained if name not in gradients]
    if missing:
        expected, remedy = "a gradient for every trained parameter", "return it from the layer's pullback"
        raise DataError("gradients", expected, f"none for {', '.join(missing)}", remedy)
    steps = (1e-4, 1e-5, 1e-6)
    return compare(
        lambda at: forward(at)[0],
        {name: gradients[name] for name in trained},
        exact,
        rng=rng,
        entries=entries,
        steps=steps,
        tolerance=TOLERANCE,
    )
