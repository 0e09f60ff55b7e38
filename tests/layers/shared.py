"""What the tests of the layers share: parameters to draw, and a comparison of a layer with its operation."""

import numpy as np

from whygrad.checking import Verdict, check_gradient

KNOWN = 1e-9  # how well a right gradient must be known, relative to its largest entry


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


def check_layer(layer, *shapes, training=False, seed=0, params=None):
    """Check the gradients of every input and trained parameter; several outputs are laid side by side."""
    params = draw(layer, seed) if params is None else params
    inputs = {f"input {i}": x for i, x in enumerate(images(*shapes, seed=seed + 1))}

    def f(at):
        own, given = {name: at.get(name, params[name]) for name in params}, [at[name] for name in inputs]
        y, pullback, _ = layer(own, *given, training=training, rng=np.random.default_rng(3))
        ys = y if isinstance(y, tuple) else (y,)

        def backward(dy):
            parts = np.split(dy, np.cumsum([value.size for value in ys])[:-1])
            dys = tuple(part.reshape(value.shape) for part, value in zip(parts, ys, strict=True))
            dx, gradients = pullback(dys if isinstance(y, tuple) else dys[0])
            return gradients | dict(zip(inputs, dx if len(inputs) > 1 else (dx,), strict=True))

        return np.concatenate([value.ravel() for value in ys]), backward

    return check_gradient(f, None, {name: params[name] for name in params if name in trained(layer)} | inputs)


def assert_gradients(layer, *shapes, **options):
    """Require the gradients of every input and trained parameter to be those of finite differences."""
    report = check_layer(layer, *shapes, **options)
    assert {row.name for row in report} == trained(layer) | {f"input {i}" for i in range(len(shapes))}
    assert {row.verdict for row in report} == {Verdict.RIGHT}, str(report)
    assert all(row.checked == row.entries and row.bound < KNOWN for row in report), str(report)


def shapes_of(layer):
    """Return the shape of every parameter by name."""
    return {name: parameter.shape for name, parameter in layer.parameters().items()}
