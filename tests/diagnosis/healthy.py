"""Right code in the many forms that people write: none of it may be accused of anything."""

import numpy as np

from whygrad.diagnosis import diagnose, diagnose_loss, diagnose_network

# Convolution: images (N, C, H, W), filters (F, C, R, S)


def padded(x, p):
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))


def conv_forward(x, w, b, stride=1, pad=0):
    view = np.lib.stride_tricks.sliding_window_view(padded(x, pad), w.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("ncijrs,fcrs->nfij", view, w) + b[:, None, None]


def conv_scatter(dy, x, w, b, stride, pad):
    xp, (R, S) = padded(x, pad), w.shape[2:]
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for n, f, i, j in np.ndindex(dy.shape):
        at = (n, slice(None), slice(i * stride, i * stride + R), slice(j * stride, j * stride + S))
        dxp[at] += w[f] * dy[n, f, i, j]
        dw[f] += xp[at] * dy[n, f, i, j]
    return dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dy.sum((0, 2, 3))


def conv_full_correlation(dy, x, w, b, stride, pad):
    N, C, H, W = x.shape
    F, _, R, S = w.shape
    wide = np.zeros((N, F, H + 2 * pad - R + 1, W + 2 * pad - S + 1))
    wide[:, :, ::stride, ::stride][:, :, : dy.shape[2], : dy.shape[3]] = dy
    around = np.pad(wide, ((0, 0), (0, 0), (R - 1, R - 1), (S - 1, S - 1)))
    turned = np.rot90(w, 2, axes=(2, 3)).transpose(1, 0, 2, 3)
    dxp = conv_forward(around, turned, np.zeros(C))
    dw = conv_forward(padded(x, pad).transpose(1, 0, 2, 3), wide.transpose(1, 0, 2, 3), np.zeros(F)).transpose(
        1, 0, 2, 3
    )
    return dxp[:, :, pad : pad + H, pad : pad + W], dw, np.einsum("nfij->f", dy)


def conv_im2col(dy, x, w, b, stride, pad):
    xp, (F, C, R, S) = padded(x, pad), w.shape
    N, _, I, J = dy.shape
    r = np.repeat(np.arange(R), S)
    s = np.tile(np.arange(S), R)
    i = stride * np.repeat(np.arange(I), J)
    j = stride * np.tile(np.arange(J), I)
    rows, columns = r[:, None] + i[None], s[:, None] + j[None]
    cols = xp[:, :, rows, columns].reshape(N, C * R * S, I * J)
    d = dy.reshape(N, F, I * J)
    dw = np.einsum("nfp,nkp->fk", d, cols).reshape(w.shape)
    back = np.einsum("fk,nfp->nkp", w.reshape(F, -1), d).reshape(N, C, R * S, I * J)
    dxp = np.zeros_like(xp)
    np.add.at(dxp, (slice(None), slice(None), rows, columns), back)
    end = (None if pad == 0 else -pad,)
    return dxp[:, :, pad : end[0], pad : end[0]], dw, d.sum((0, 2))


def conv_taps(dy, x, w, b, stride, pad):
    xp, (R, S), (I, J) = padded(x, pad), w.shape[2:], dy.shape[2:]
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for r in range(R):
        for s in range(S):
            part = xp[:, :, r : r + stride * I : stride, s : s + stride * J : stride]
            dw[:, :, r, s] = np.tensordot(dy, part, axes=((0, 2, 3), (0, 2, 3)))
            dxp[:, :, r : r + stride * I : stride, s : s + stride * J : stride] += np.einsum(
                "nfij,fc->ncij", dy, w[:, :, r, s]
            )
    return dxp[:, :, pad : xp.shape[2] - pad, pad : xp.shape[3] - pad], dw, dy.sum(axis=3).sum(axis=2).sum(axis=0)


def conv_gather(dy, x, w, b, stride, pad):
    """Each pixel asks which windows it was in."""
    dx = np.zeros_like(x)
    (R, S), (I, J) = w.shape[2:], dy.shape[2:]
    for h in range(x.shape[2]):
        for v in range(x.shape[3]):
            for r in range(R):
                for s in range(S):
                    (i, a), (j, c) = divmod(h + pad - r, stride), divmod(v + pad - s, stride)
                    if a == 0 and c == 0 and 0 <= i < I and 0 <= j < J:
                        dx[:, :, h, v] += dy[:, :, i, j] @ w[:, :, r, s]
    return dx, conv_taps(dy, x, w, b, stride, pad)[1], dy.sum((0, 2, 3))


def conv_nhwc(dy, x, w, b, stride, pad):
    dx, dw, db = conv_taps(
        dy.transpose(0, 3, 1, 2), x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1), b, stride, pad
    )
    return dx.transpose(0, 2, 3, 1), dw.transpose(2, 3, 1, 0), db


def conv_cs231n_forward(x, w, b, conv_param):
    return conv_forward(x, w, b, conv_param["stride"], conv_param["pad"]), (x, w, b, conv_param)


def conv_cs231n(dout, cache):
    x, w, b, conv_param = cache
    return conv_taps(dout, x, w, b, conv_param["stride"], conv_param["pad"])


def conv_single(dy, x, w, b):
    return conv_scatter(dy, x, w, b, 1, 0)


class ConvLayer:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        k = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.stride, self.padding = stride, padding
        self.W, self.b = (
            np.random.default_rng(0).normal(size=(out_channels, in_channels, *k)),
            np.zeros(out_channels),
        )

    def forward(self, x):
        self.x = x
        return conv_forward(x, self.W, self.b, self.stride, self.padding)

    def backward(self, dout):
        dx, self.dW, self.db = conv_taps(dout, self.x, self.W, self.b, self.stride, self.padding)
        return dx


def _other_order(dy, x, w, b, stride, pad):
    dx, dw, db = conv_taps(dy, x, w, b, stride, pad)
    return dw, db, dx


def _as_dict(dy, x, w, b, stride, pad):
    return dict(zip(("dX", "dW", "db"), conv_taps(dy, x, w, b, stride, pad), strict=True))


def _single_precision(dy, x, w, b, stride, pad):
    return tuple(a.astype(np.float32) for a in conv_taps(dy, x, w, b, stride, pad))


CONVOLUTIONS = {
    "scatter": conv_scatter, "full correlation": conv_full_correlation, "im2col": conv_im2col, "taps": conv_taps,
    "gather": conv_gather,
    "stride 1 only": conv_single, "another order": _other_order, "a dictionary": _as_dict,
    "float32": _single_precision,
}  # fmt: skip

# Poolings


def pool_first(dy, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dy.shape):
        window = x[n, c, i * stride : i * stride + k, j * stride : j * stride + k]
        r, s = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, i * stride + r, j * stride + s] += dy[n, c, i, j]
    return dx


def pool_last(dy, x, k, stride):
    return _by(dy, x, k, stride, lambda w: w.size - 1 - w[::-1, ::-1].argmax())


def _by(dy, x, k, stride, choose):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dy.shape):
        window = x[n, c, i * stride : i * stride + k, j * stride : j * stride + k]
        r, s = np.unravel_index(choose(window), window.shape)
        dx[n, c, i * stride + r, j * stride + s] += dy[n, c, i, j]
    return dx


def pool_shared(dy, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dy.shape):
        at = (n, c, slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        top = x[at] == x[at].max()
        dx[at] += dy[n, c, i, j] * top / top.sum()
    return dx


def average(dy, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dy.shape):
        dx[n, c, i * stride : i * stride + k, j * stride : j * stride + k] += dy[n, c, i, j] / (k * k)
    return dx


def average_taps(dy, x, k, stride):
    dx, (I, J) = np.zeros_like(x), dy.shape[2:]
    for r in range(k):
        for s in range(k):
            dx[:, :, r : r + stride * I : stride, s : s + stride * J : stride] += dy
    return dx / k**2


# One array each


def sigma(x):
    return 1 / (1 + np.exp(-x))


def _masked_copy(dy, x):
    dx = dy.copy()
    dx[x <= 0] = 0
    return dx


def _relu_loop(dy, x):
    dx = np.zeros_like(dy)
    for index in np.ndindex(x.shape):
        dx[index] = dy[index] if x[index] > 0 else 0.0
    return dx


def _sigmoid_output(dy, x):
    y = sigma(x)
    return dy * y * (1 - y)


def _softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _softmax_jacobian(dy, z):
    p, dz = _softmax(z), np.zeros_like(z)
    for n in range(len(z)):
        dz[n] = (np.diag(p[n]) - np.outer(p[n], p[n])) @ dy[n]
    return dz


ACTIVATIONS = {
    "relu": [lambda dy, x: dy * (x > 0), lambda dy, x: dy * (x >= 0), lambda dy, x: np.where(x > 0, dy, 0),
             _masked_copy, _relu_loop,
             lambda dy, x: dy * np.heaviside(x, 0.5), lambda dy, x: dy * (np.maximum(x, 0) > 0)],
    "sigmoid": [_sigmoid_output, lambda dy, x: dy * np.exp(-x) / (1 + np.exp(-x)) ** 2,
                lambda dy, x: dy * sigma(x) * sigma(-x),
                lambda dy, x: dy / (2 + np.exp(x) + np.exp(-x)), lambda dy, x: dy * 0.25 / np.cosh(x / 2) ** 2],
    "tanh": [lambda dy, x: dy * (1 - np.tanh(x) ** 2), lambda dy, x: dy / np.cosh(x) ** 2,
             lambda dy, x: dy * (1 - np.tanh(x)) * (1 + np.tanh(x)),
             lambda dy, x: dy * 4 / (np.exp(x) + np.exp(-x)) ** 2],
    "softplus": [lambda dy, x: dy * sigma(x), lambda dy, x: dy * np.exp(x) / (1 + np.exp(x)),
                 lambda dy, x: dy * 0.5 * (1 + np.tanh(x / 2))],
    "leaky_relu": [lambda dy, x: dy * np.where(x > 0, 1, 0.01),
                   lambda dy, x, alpha: np.where(x < 0, alpha * dy, dy),
                   lambda dy, x: np.maximum(0.01, x > 0) * dy],
    "elu": [lambda dy, x: dy * np.where(x > 0, 1, np.exp(x)),
            lambda dy, x: dy * np.where(x > 0, 1, np.expm1(x) + 1)],
    "silu": [lambda dy, x: dy * (sigma(x) + x * sigma(x) * (1 - sigma(x))),
             lambda dy, x: dy * (x * sigma(x) + sigma(x) * (1 - x * sigma(x)))],
    "softmax": [_softmax_jacobian, lambda dy, z: _softmax(z) * (dy - (dy * _softmax(z)).sum(1, keepdims=True)),
                lambda dy, z: _softmax(z) * dy - _softmax(z) * np.einsum("nk,nk->n", dy, _softmax(z))[:, None]],
    "log_softmax": [lambda dy, z: dy - _softmax(z) * dy.sum(1, keepdims=True)],
    "flatten": [lambda dy, x: dy.reshape(x.shape), lambda dy, x: np.stack([d.reshape(x.shape[1:]) for d in dy])],
}  # fmt: skip

OWN = [
    (np.sin, lambda dy, x: dy * np.cos(x)), (lambda x: x**3, lambda dy, x: 3 * x * x * dy),
    (np.exp, lambda dy, x: dy * np.exp(x)),
    (np.arctan, lambda dy, x: dy / (1 + x * x)),
    (lambda x: x / (1 + np.abs(x)), lambda dy, x: dy / (1 + np.abs(x)) ** 2),
    (lambda x: 1.7159 * np.tanh(2 * x / 3), lambda dy, x: dy * 1.7159 * 2 / 3 * (1 - np.tanh(2 * x / 3) ** 2)),
    (lambda x: np.clip(x, -0.5, 0.5), lambda dy, x: dy * (np.abs(x) < 0.5)),
]  # fmt: skip


def linear_io(dy, x, w, b):
    return dy @ w.T, x.T @ dy, dy.sum(0)


def linear_oi(dy, x, w, b):
    return dy @ w, dy.T @ x, dy.sum(axis=0)


def linear_loop(dy, x, w, b):
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
    for n in range(len(x)):
        dw += np.outer(x[n], dy[n])
        db += dy[n]
        dx[n] = w @ dy[n]
    return dx, dw, db


def linear_column_bias(dy, x, w, b):
    return dy @ w.T, x.T @ dy, dy.sum(0, keepdims=True)


def norm_compact(dy, x, gamma, beta, eps):
    axes = (0,) if x.ndim == 2 else (0, 2, 3)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    spread = np.sqrt(x.var(axes, keepdims=True) + eps)
    xhat = (x - x.mean(axes, keepdims=True)) / spread
    g = dy * gamma.reshape(shape)
    m = x.size // x.shape[1]
    dx = (m * g - g.sum(axes, keepdims=True) - xhat * (g * xhat).sum(axes, keepdims=True)) / (m * spread)
    return dx, (dy * xhat).sum(axes), dy.sum(axes)


def norm_staged(dy, x, gamma, beta, eps):
    """Rows only, node by node."""
    n = len(x)
    mu = x.mean(0)
    centred = x - mu
    var = (centred**2).mean(0)
    inverse = 1 / np.sqrt(var + eps)
    dxhat = dy * gamma
    dvar = (dxhat * centred * -0.5 * inverse**3).sum(0)
    dmu = (-dxhat * inverse).sum(0) + dvar * (-2 * centred).mean(0)
    return dxhat * inverse + dvar * 2 * centred / n + dmu / n, (dy * centred * inverse).sum(0), dy.sum(0)


def dropout_forward(x, p, rng):
    mask = rng.random(x.shape) >= p
    return x * mask / (1 - p), {"mask": mask, "scale": 1 / (1 - p)}


def dropout_plain_forward(x, p, rng):
    mask = rng.random(x.shape) >= p
    return x * mask, (mask,)


def variants():
    """Yield (name, a function seed → diagnosis)."""
    for name, f in CONVOLUTIONS.items():
        yield f"conv2d, {name}", lambda seed, f=f: diagnose(f, "conv2d", seed=seed)
    yield "conv2d, NHWC", lambda seed: diagnose(conv_nhwc, "conv2d", seed=seed)
    yield (
        "conv2d, NHWC declared",
        lambda seed: diagnose(conv_nhwc, "conv2d", layout="NHWC", weights="HWIO", seed=seed),
    )
    yield "conv2d, cache", lambda seed: diagnose(conv_cs231n, "conv2d", conv_cs231n_forward, seed=seed)
    yield "conv2d, class", lambda seed: diagnose(ConvLayer, "conv2d", seed=seed)
    yield "conv2d, object", lambda seed: diagnose(ConvLayer(3, 2, 3), "conv2d", seed=seed)
    yield "conv2d, forward", lambda seed: diagnose(None, "conv2d", conv_forward, seed=seed)
    yield "conv2d, both", lambda seed: diagnose(conv_taps, "conv2d", conv_forward, seed=seed)
    for name, f in {"first": pool_first, "last": pool_last, "shared": pool_shared}.items():
        yield f"max_pool2d, {name}", lambda seed, f=f: diagnose(f, "max_pool2d", seed=seed)
    for name, f in {"loops": average, "taps": average_taps}.items():
        yield f"avg_pool2d, {name}", lambda seed, f=f: diagnose(f, "avg_pool2d", seed=seed)
    for op, forms in ACTIVATIONS.items():
        for k, f in enumerate(forms):
            yield f"{op}, form {k}", lambda seed, f=f, op=op: diagnose(f, op, seed=seed)
    for k, (f, g) in enumerate(OWN):
        yield f"own function {k}", lambda seed, f=f, g=g: diagnose(g, None, f, seed=seed)
    for f in (linear_io, linear_oi, linear_loop, linear_column_bias):
        yield f"linear, {f.__name__}", lambda seed, f=f: diagnose(f, "linear", seed=seed)
    for f in (norm_compact, norm_staged):
        yield f"batch_norm2d, {f.__name__}", lambda seed, f=f: diagnose(f, "batch_norm2d", seed=seed)
    yield (
        "dropout",
        lambda seed: diagnose(
            lambda dy, cache: dy * cache["mask"] * cache["scale"], "dropout", dropout_forward, seed=seed
        ),
    )
    yield (
        "dropout, not scaled",
        lambda seed: diagnose(lambda dy, cache: dy * cache[0], "dropout", dropout_plain_forward, seed=seed),
    )
    for name, form in LOSSES.items():
        yield (
            f"loss, {name}",
            lambda seed, form=form: diagnose_loss(*form[:2], *form[2](np.random.default_rng(seed)), seed=seed),
        )
    for name, form in NETWORKS.items():
        yield f"network, {name}", lambda seed, form=form: _network(form, seed)


def _network(form, seed):
    loss, gradients, make = form
    params, x, t = make(np.random.default_rng(seed))
    return diagnose_network(loss, gradients, params, (x, t), seed=seed)


# Losses


def _classes(rng, n=6, k=4):
    return rng.normal(size=(n, k)), rng.integers(0, k, n)


def _one_hot(rng, n=5, k=3):
    return rng.normal(size=(n, k)), np.eye(k)[rng.integers(0, k, n)]


def _values(rng):
    return rng.normal(size=(4, 3)), rng.normal(size=(4, 3))


def _chances(rng):
    return rng.uniform(0.1, 0.9, (5, 2)), rng.integers(0, 2, (5, 2)).astype(float)


def _cross_entropy(z, t):
    return -np.log(_softmax(z)[np.arange(len(z)), t]).mean()


def _cross_entropy_gradient(z, t):
    d = _softmax(z)
    d[np.arange(len(z)), t] -= 1
    return d / len(z)


def _hinge(z, t):
    m = np.maximum(0, z - z[np.arange(len(z)), t][:, None] + 1)
    m[np.arange(len(z)), t] = 0
    return m.sum() / len(z)


def _hinge_gradient(z, t):
    m = (z - z[np.arange(len(z)), t][:, None] + 1 > 0) * 1.0
    m[np.arange(len(z)), t] = 0
    m[np.arange(len(z)), t] = -m.sum(1)
    return m / len(z)


LOSSES = {
    "cross-entropy": (_cross_entropy, _cross_entropy_gradient, _classes),
    "cross-entropy, one-hot": (lambda z, t: -(t * np.log(_softmax(z))).sum(), lambda z, t: _softmax(z) - t,
                               _one_hot),
    "cross-entropy, over all entries": (lambda z, t: -(t * np.log(_softmax(z))).mean(),
                                        lambda z, t: (_softmax(z) - t) / t.size, _one_hot),
    "mean square": (lambda z, t: ((z - t) ** 2).mean(), lambda z, t: 2 * (z - t) / z.size, _values),
    "half a square": (lambda z, t: 0.5 * ((t - z) ** 2).sum(), lambda z, t: -(t - z), _values),
    "square of a sigmoid": (lambda z, t: 0.5 * ((sigma(z) - t) ** 2).sum(),
                            lambda z, t: (sigma(z) - t) * sigma(z) * (1 - sigma(z)), _values),
    "binary": (lambda z, t: np.mean(np.logaddexp(0, z) - t * z), lambda z, t: (sigma(z) - t) / z.size, _one_hot),
    "binary, of chances": (lambda z, t: -(t * np.log(z) + (1 - t) * np.log(1 - z)).mean(),
                           lambda z, t: (z - t) / (z * (1 - z)) / z.size, _chances),
    "hinge": (_hinge, _hinge_gradient, _classes),
    "absolute": (lambda z, t: np.abs(z - t).sum(), lambda z, t: np.sign(z - t), _values),
    "log cosh": (lambda z, t: np.log(np.cosh(z - t)).sum(), lambda z, t: np.tanh(z - t), _values),
    "to be maximised": (lambda z, t: (t * np.log(_softmax(z))).sum(), lambda z, t: t - _softmax(z), _one_hot),
}  # fmt: skip

# Networks


def _mlp(f, slope, end, delta):
    """A net of two layers; ``slope`` is of the output a."""

    def run(p, x):
        a = f(x @ p["W1"] + p["b1"])
        return a, a @ p["W2"] + p["b2"]

    def loss(p, x, t):
        return end(run(p, x)[1], t)

    def gradients(p, x, t):
        a, z = run(p, x)
        d = delta(z, t)
        back = d @ p["W2"].T * slope(a)
        return {"W1": x.T @ back, "b1": back.sum(0), "W2": a.T @ d, "b2": d.sum(0)}

    return loss, gradients, _mlp_data


def _mlp_data(rng):
    params = {
        "W1": rng.normal(size=(4, 5)),
        "b1": rng.normal(size=5),
        "W2": rng.normal(size=(5, 3)),
        "b2": rng.normal(size=3),
    }
    return params, rng.normal(size=(6, 4)), np.eye(3)[rng.integers(0, 3, 6)]


def _conv_net():
    def run(p, x):
        z = conv_forward(x, p["w"], p["b"])
        a = np.maximum(z, 0)
        n, f, i, j = a.shape
        m = a.reshape(n, f, i // 2, 2, j // 2, 2).max((3, 5))
        return z, a, m, m.reshape(n, -1) @ p["V"] + p["c"]

    def loss(p, x, t):
        return -(t * np.log(_softmax(run(p, x)[-1]))).sum() / len(x)

    def gradients(p, x, t):
        z, a, m, out = run(p, x)
        d = (_softmax(out) - t) / len(x)
        dm = (d @ p["V"].T).reshape(m.shape)
        up = np.repeat(np.repeat(m, 2, 2), 2, 3)
        da = np.repeat(np.repeat(dm, 2, 2), 2, 3) * (a == up)
        _, dw, db = conv_scatter(da * (z > 0), x, p["w"], p["b"], 1, 0)
        return {"w": dw, "b": db, "V": m.reshape(len(x), -1).T @ d, "c": d.sum(0)}

    def make(rng):
        params = {
            "w": rng.normal(size=(2, 1, 3, 3)),
            "b": rng.normal(size=2) + 0.5,
            "V": rng.normal(size=(8, 3)),
            "c": rng.normal(size=3),
        }
        return params, rng.normal(size=(3, 1, 6, 6)), np.eye(3)[rng.integers(0, 3, 3)]

    return loss, gradients, make


_SLOPES = {
    "sigmoid": (sigma, lambda a: a * (1 - a)),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "relu": (lambda z: np.maximum(z, 0), lambda a: a > 0),
}
_ENDS = {
    "softmax": (lambda z, t: -(t * np.log(_softmax(z))).sum() / len(z), lambda z, t: (_softmax(z) - t) / len(z)),
    "square": (lambda z, t: 0.5 * ((z - t) ** 2).sum(), lambda z, t: z - t),
    "sigmoid and square": (lambda z, t: ((sigma(z) - t) ** 2).mean(),
                           lambda z, t: 2 * (sigma(z) - t) * sigma(z) * (1 - sigma(z)) / z.size),
    "binary": (lambda z, t: (np.logaddexp(0, z) - t * z).sum(), lambda z, t: sigma(z) - t),
}  # fmt: skip
NETWORKS = {f"{a} and {e}": _mlp(*_SLOPES[a], *_ENDS[e]) for a in _SLOPES for e in _ENDS} | {
    "convolution": _conv_net()
}
