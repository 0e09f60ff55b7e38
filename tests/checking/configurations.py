"""Random healthy calls of every operation and loss: shapes, options and magnitudes that a user may have."""

import numpy as np

from whygrad.losses.registry import LOSSES, LossSample
from whygrad.ops.registry import OPERATIONS
from whygrad.ops.samples import Sample

MAGNITUDES = (1e-3, 1e-2, 0.1, 1.0, 1.0, 1.0, 10.0, 100.0, 1e3)
#: Operations and losses whose slope does not jump anywhere.
KINKED = {"relu", "leaky_relu", "elu", "max_pool2d", "hinge", "clip"}


def apart(rng, *shape):
    """Return distinct numbers between about −1 and 1, none of them 0, whose distances are not tiny."""
    size = int(np.prod(shape))
    steps = np.arange(size) - size // 2 + rng.uniform(0.3, 0.7, size)
    return rng.permutation(steps / max(size, 2) * 2).reshape(shape)


def operation_call(seed, name=None):
    """Return the name of an operation and a random call of it."""
    rng = np.random.default_rng(seed)
    name = name or list(OPERATIONS)[seed % len(OPERATIONS)]
    inputs, options, constants = _CALLS.get(name, _elementwise)(rng)
    size = float(rng.choice(MAGNITUDES))
    inputs = {key: size * value if key in ("x", "a", "b", "c") else value for key, value in inputs.items()}
    return name, Sample(inputs, options, constants)


def loss_call(seed, name=None):
    """Return the name of a loss and a random call of it."""
    rng = np.random.default_rng(seed)
    name = name or list(LOSSES)[seed % len(LOSSES)]
    size = float(rng.choice(MAGNITUDES))
    reduction = str(rng.choice(["mean", "sum"]))
    if name in ("cross_entropy", "hinge"):
        shape = tuple(int(n) for n in rng.integers(1, 6, rng.integers(2, 4)))
        labels = rng.integers(0, shape[1], (shape[0], *shape[2:]))
        options = {"reduction": reduction}
        target = labels
        if name == "cross_entropy":
            options["label_smoothing"] = float(rng.choice([0.0, 0.1, 0.5]))
            if rng.random() < 0.4:
                options["class_weights"] = rng.uniform(0.5, 2, shape[1])
            if rng.random() < 0.3 and len(shape) == 2:
                target = rng.dirichlet(np.ones(shape[1]), shape[0])
        else:
            options["margin"] = float(rng.choice([0.5, 1.0, 2.0]))
        return name, LossSample(size * rng.normal(size=shape), target, options)
    shape = tuple(int(n) for n in rng.integers(1, 6, rng.integers(2, 5)))
    if name == "binary_cross_entropy":
        target = rng.uniform(size=shape) if rng.random() < 0.5 else rng.integers(0, 2, shape)
    else:
        target = size * rng.normal(size=shape)
    return name, LossSample(size * rng.normal(size=shape), target, {"reduction": reduction})


def _sizes(rng, count, low=1, high=6):
    return tuple(int(n) for n in rng.integers(low, high + 1, count))


def _elementwise(rng):
    return {"x": apart(rng, *_sizes(rng, rng.integers(1, 5), high=5))}, {}, ()


def _with(option, values):
    def call(rng):
        inputs, _, _ = _elementwise(rng)
        return inputs, {option: values[rng.integers(len(values))]}, ()

    return call


def _add(rng):
    shape = _sizes(rng, rng.integers(1, 5))
    return {"a": rng.normal(size=shape), "b": rng.normal(size=shape)}, {}, ()


def _concat(rng):
    shape = list(_sizes(rng, rng.integers(2, 5), high=4))
    axis = int(rng.integers(len(shape)))
    arrays = {}
    for key in "abc":
        shape[axis] = int(rng.integers(1, 5))
        arrays[key] = rng.normal(size=shape)
    return arrays, {"axis": axis}, ()


def _conv2d(rng):
    while True:
        groups = int(rng.choice([1, 1, 1, 2, 3]))
        n, c, f = int(rng.integers(1, 4)), groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
        height, width, r, s = *_sizes(rng, 2, high=8), *_sizes(rng, 2, high=4)
        stride, dilation = _sizes(rng, 2, high=3), _sizes(rng, 2, high=2)
        padding = _sides(rng)
        seen = height + padding[0] + padding[1], width + padding[2] + padding[3]
        extent = dilation[0] * (r - 1) + 1, dilation[1] * (s - 1) + 1
        if all(a >= b for a, b in zip(seen, extent, strict=True)):
            break
    inputs = {"x": rng.normal(size=(n, c, height, width)), "w": rng.normal(size=(f, c // groups, r, s))}
    options = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
    kind = rng.integers(3)
    if kind == 1:
        inputs["b"] = rng.normal(size=f)
    elif kind == 2:
        out = tuple((a - b) // t + 1 for a, b, t in zip(seen, extent, stride, strict=True))
        inputs["b"] = rng.normal(size=(f, *out))
    return inputs, options, ()


def _sides(rng):
    return tuple(int(n) for n in rng.integers(0, 3, 4)) if rng.random() < 0.6 else (0, 0, 0, 0)


def _conv_transpose2d(rng):
    while True:
        groups = int(rng.choice([1, 1, 2]))
        n, c, f = int(rng.integers(1, 4)), groups * int(rng.integers(1, 4)), int(rng.integers(1, 4))
        height, width, r, s = _sizes(rng, 4, high=4)
        stride, dilation = _sizes(rng, 2, high=3), _sizes(rng, 2, high=2)
        padding = tuple(int(k) for k in rng.integers(0, 2, 4)) if rng.random() < 0.5 else (0, 0, 0, 0)
        whole = (
            (height - 1) * stride[0] + dilation[0] * (r - 1) + 1,
            (width - 1) * stride[1] + dilation[1] * (s - 1) + 1,
        )
        if whole[0] - padding[0] - padding[1] >= 1 and whole[1] - padding[2] - padding[3] >= 1:
            break
    inputs = {"x": rng.normal(size=(n, c, height, width)), "w": rng.normal(size=(c, f, r, s))}
    if rng.random() < 0.6:
        inputs["b"] = rng.normal(size=f * groups)
    return inputs, {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups}, ()


def _linear(rng):
    n, d, f = _sizes(rng, 3, high=12)
    inputs = {"x": rng.normal(size=(n, d)), "w": rng.normal(size=(f, d))}
    if rng.random() < 0.6:
        inputs["b"] = rng.normal(size=f)
    return inputs, {}, ()


def _pool(rng, most):
    while True:
        shape, kernel, stride = _sizes(rng, 4, high=7), _sizes(rng, 2, high=3), _sizes(rng, 2, high=3)
        padding = tuple(
            int(rng.integers(0, (k + 1) // 2 + 0)) if k > 1 else 0 for k in (kernel[0],) * 2 + (kernel[1],) * 2
        )
        dilation = _sizes(rng, 2, high=most)
        extents = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        if all(n >= e for n, e in zip(shape[2:], extents, strict=True)):
            return shape, {"kernel_size": kernel, "stride": stride, "padding": padding}, dilation


def _max_pool2d(rng):
    shape, options, dilation = _pool(rng, 2)
    return {"x": apart(rng, *shape)}, {**options, "dilation": dilation}, ()


def _avg_pool2d(rng):
    shape, options, _ = _pool(rng, 1)
    return {"x": rng.normal(size=shape)}, {**options, "count_include_pad": bool(rng.random() < 0.5)}, ()


def _pad2d(rng):
    mode = str(rng.choice(["constant", "reflect", "replicate"]))
    shape = (*_sizes(rng, 2, high=3), *_sizes(rng, 2, 3, 6))
    options = {"padding": tuple(int(n) for n in rng.integers(0, 3, 4)), "mode": mode}
    return {"x": rng.normal(size=shape)}, options, ()


def _upsample(rng):
    return {"x": rng.normal(size=_sizes(rng, 4, high=4))}, {"scale_factor": _sizes(rng, 2, high=3)}, ()


def _images(rng):
    return {"x": rng.normal(size=_sizes(rng, 4))}, {}, ()


def _softmax(rng):
    shape = _sizes(rng, rng.integers(2, 5), high=5)
    return {"x": rng.normal(size=shape)}, {"axis": int(rng.integers(1, len(shape)))}, ()


def _batch_norm2d(rng):
    shape = _sizes(rng, 4, high=5)
    c, entries = shape[1], shape[0] * shape[2] * shape[3]
    training = bool(rng.random() < 0.6) and entries > 1
    inputs = {"x": rng.normal(size=shape), "gamma": rng.uniform(0.5, 2, c), "beta": rng.normal(size=c)}
    return (
        inputs,
        {"training": training, "eps": float(rng.choice([1e-5, 1e-3]))},
        (rng.normal(size=c), rng.uniform(0.5, 2, c)),
    )


def _layer_norm(rng):
    shape = (int(rng.integers(1, 5)), *_sizes(rng, rng.integers(1, 4), high=5))
    last = shape[int(rng.integers(1, len(shape))) :]
    return {"x": rng.normal(size=shape), "gamma": rng.uniform(0.5, 2, last), "beta": rng.normal(size=last)}, {}, ()


def _dropout(rng):
    options = {
        "p": float(rng.choice([0.0, 0.3, 0.8])),
        "training": bool(rng.random() < 0.8),
        "rng": int(rng.integers(99)),
    }
    return {"x": rng.normal(size=_sizes(rng, 4, high=5))}, options, ()


def _scale(rng):
    shape = _sizes(rng, rng.integers(2, 5), high=5)
    inputs = {"x": rng.normal(size=shape), "w": rng.normal(size=_with_ones(rng, shape[1:]))}
    if rng.random() < 0.6:
        inputs["b"] = rng.normal(size=_with_ones(rng, shape[1:]))
    return inputs, {}, ()


def _with_ones(rng, shape):
    return tuple(n if rng.random() < 0.5 else 1 for n in shape)


def _mul(rng):
    shape = _sizes(rng, rng.integers(1, 5))
    gate = shape if rng.random() < 0.5 else (shape[0], *_with_ones(rng, shape[1:]))
    return {"a": rng.normal(size=shape), "b": rng.normal(size=gate)}, {}, ()


def _clip(rng):
    x = apart(rng, *_sizes(rng, rng.integers(1, 5), high=5))
    options = ({"low": 0.0, "high": 6.0}, {"low": -0.3}, {"high": 0.2}, {})[rng.integers(4)]
    return {"x": x}, options, ()


def _lrn(rng):
    options = {"size": int(rng.integers(1, 8)), "alpha": float(rng.choice([1e-4, 1.0])), "k": 1.0}
    return {"x": rng.normal(size=_sizes(rng, 4, high=5))}, options, ()


def _reshape(rng):
    shape = _sizes(rng, rng.integers(2, 5), high=4)
    return {"x": rng.normal(size=shape)}, {"shape": tuple(int(n) for n in rng.permutation(shape[1:]))}, ()


def _transpose(rng):
    shape = _sizes(rng, rng.integers(1, 6), high=4)
    axes = (0, *(int(axis) for axis in rng.permutation(np.arange(1, len(shape)))))
    return {"x": rng.normal(size=shape)}, {"axes": axes}, ()


def _take2d(rng):
    shape = _sizes(rng, 4, high=4)
    vertical, horizontal = (tuple(rng.integers(0, n, rng.integers(1, 6)).tolist()) for n in shape[2:])
    return {"x": rng.normal(size=shape)}, {"vertical": vertical, "horizontal": horizontal}, ()


_CALLS = {
    "add": _add,
    "scale": _scale,
    "clip": _clip,
    "lrn": _lrn,
    "mul": _mul,
    "reshape": _reshape,
    "take2d": _take2d,
    "transpose": _transpose,
    "avg_pool2d": _avg_pool2d,
    "batch_norm2d": _batch_norm2d,
    "concat": _concat,
    "conv2d": _conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "dropout": _dropout,
    "elu": _with("alpha", (1.0, 0.5, 2.0)),
    "flatten": _images,
    "gelu": _with("approximate", ("none", "tanh")),
    "global_avg_pool2d": _images,
    "layer_norm": _layer_norm,
    "leaky_relu": _with("negative_slope", (0.01, 0.3, 0.0)),
    "linear": _linear,
    "log_softmax": _softmax,
    "max_pool2d": _max_pool2d,
    "pad2d": _pad2d,
    "softmax": _softmax,
    "upsample_nearest2d": _upsample,
}
