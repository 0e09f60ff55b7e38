"""What the tests of the layers share: parameters to draw, and a comparison of a layer with its operation."""

import numpy as np

from whygrad.checking import compare

AGREES = 1e-7  # what a right gradient stays below, relative to its largest entry


def draw(layer, seed=0, dtype=np.float64):
    """Return parameters with nothing at a special value: biases are not 0, and running variances positive."""
    rng = np.random.default_rng(seed)
    params = {}
    for name, parameter in layer.parameters().items():
        positive = name.endswith(("running_var", "bn.weight"))
        array = rng.uniform(0.5, 2, parameter.shape) if positive else rng.normal(size=parameter.shape)
        params[name] = array.astype(dtype)
        params[name].flags.writeable = False
    return params


def images(*shapes, batch=2, seed=1, dtype=np.float64):
    """Return a read-only batch for each shape of one sample."""
    rng = np.random.default_rng(seed)
    batches = [rng.normal(size=(batch, *shape)).astype(dtype) for shape in shapes]
    for x in batches:
        x.flags.writeable = False
    return batches


def trained(layer):
    """Return the names of the parameters that have gradients."""
    return {name for name, parameter in layer.parameters().items() if parameter.trained}


def assert_is(layer, op, *shapes, training=False):
    """Require a layer of one operation to return its value and gradients, by name, in the shape it announces."""
    params, inputs = draw(layer), images(*shapes)
    y, pullback, changed = layer(params, *inputs, training=training)
    wanted, op_pullback = op(*inputs, *params.values())
    np.testing.assert_array_equal(y, wanted)
    assert y.shape == (len(inputs[0]), *layer.output_shape(*shapes))
    assert changed == {}

    dy = np.random.default_rng(2).normal(size=y.shape)
    dx, gradients = pullback(dy)
    returned = op_pullback(dy)
    wanted_gradients = [g for g in (returned if isinstance(returned, tuple) else (returned,)) if g is not None]
    ours = [*(dx if isinstance(dx, tuple) else (dx,)), *gradients.values()]
    assert list(gradients) == list(params)
    assert len(ours) == len(wanted_gradients)
    for gradient, wanted_gradient in zip(ours, wanted_gradients, strict=True):
        np.testing.assert_array_equal(gradient, wanted_gradient)


def assert_gradients(layer, *shapes, training=False, seed=0, params=None):
    """Require the gradients of every input and trained parameter to be those of finite differences."""
    params = draw(layer, seed) if params is None else params
    inputs = {f"input {i}": x for i, x in enumerate(images(*shapes, seed=seed + 1))}

    def run(at):
        rng = np.random.default_rng(3)
        y, pullback, _ = layer(
            {name: at[name] for name in params}, *(at[name] for name in inputs), training=training, rng=rng
        )
        return (y, pullback) if isinstance(y, tuple) else ((y,), lambda dys: pullback(dys[0]))

    ys, pullback = run(params | inputs)
    rng = np.random.default_rng(seed + 2)
    dys = tuple(rng.normal(size=y.shape) for y in ys)
    dx, gradients = pullback(dys)
    assert set(gradients) == trained(layer)
    dxs = dx if len(inputs) > 1 else (dx,)
    rows = compare(
        lambda at: float(sum((y * dy).sum() for y, dy in zip(run(at)[0], dys, strict=True))),
        gradients | dict(zip(inputs, dxs, strict=True)),
        params | inputs,
        rng=rng,
        steps=(1e-3, 1e-4),
    )
    assert {row.name for row in rows} == trained(layer) | set(inputs)
    assert {row.name: row.relative_error for row in rows if row.relative_error > AGREES} == {}


def shapes_of(layer):
    """Return the shape of every parameter by name."""
    return {name: parameter.shape for name, parameter in layer.parameters().items()}
