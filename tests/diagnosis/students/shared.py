"""What the students' functions have in common: im2col, losses, data and networks, all of them right."""

import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def get_indices(x_shape, field_height, field_width, padding, stride):
    N, C, H, W = x_shape
    out_h = (H + 2 * padding - field_height) // stride + 1
    out_w = (W + 2 * padding - field_width) // stride + 1
    i0 = np.tile(np.repeat(np.arange(field_height), field_width), C)
    i1 = stride * np.repeat(np.arange(out_h), out_w)
    j0 = np.tile(np.arange(field_width), field_height * C)
    j1 = stride * np.tile(np.arange(out_w), out_h)
    i = i0.reshape(-1, 1) + i1.reshape(1, -1)
    j = j0.reshape(-1, 1) + j1.reshape(1, -1)
    k = np.repeat(np.arange(C), field_height * field_width).reshape(-1, 1)
    return k, i, j


def im2col(x, fh, fw, padding, stride):
    """(C·fh·fw, out_h·out_w·N), samples last, as the course's fast layers have it."""
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k, i, j = get_indices(x.shape, fh, fw, padding, stride)
    cols = xp[:, k, i, j]
    return cols.transpose(1, 2, 0).reshape(fh * fw * x.shape[1], -1)


def col2im(cols, x_shape, fh, fw, padding, stride):
    N, C, H, W = x_shape
    xp = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    k, i, j = get_indices(x_shape, fh, fw, padding, stride)
    back = cols.reshape(C * fh * fw, -1, N).transpose(2, 0, 1)
    np.add.at(xp, (slice(None), k, i, j), back)
    return xp if padding == 0 else xp[:, :, padding:-padding, padding:-padding]


def correlate2d(a, k, mode="valid"):
    """One plane with one kernel, as scipy.signal.correlate2d does."""
    r, s = k.shape
    if mode == "full":
        a = np.pad(a, ((r - 1, r - 1), (s - 1, s - 1)))
    out = np.zeros((a.shape[0] - r + 1, a.shape[1] - s + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(a[i : i + r, j : j + s] * k)
    return out


def convolve2d(a, k, mode="valid"):
    return correlate2d(a, k[::-1, ::-1], mode)


def conv_out(x, w, b, stride, pad):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    N, F, R, S = len(x), len(w), *w.shape[2:]
    H_out, W_out = (xp.shape[2] - R) // stride + 1, (xp.shape[3] - S) // stride + 1
    out = np.zeros((N, F, H_out, W_out))
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    window = xp[n, :, i * stride : i * stride + R, j * stride : j * stride + S]
                    out[n, f, i, j] = np.sum(window * w[f]) + b[f]
    return out


# Data and losses


def scores_and_classes(rng):
    return rng.normal(size=(6, 4)), rng.integers(0, 4, 6)


def scores_and_one_hot(rng):
    return rng.normal(size=(5, 3)), np.eye(3)[rng.integers(0, 3, 5)]


def values(rng):
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 3))


def chances(rng):
    return rng.uniform(0.1, 0.9, (7, 1)), rng.integers(0, 2, (7, 1)).astype(float)


def nll(z, y):
    return -np.log(softmax(z)[np.arange(len(z)), y]).mean()


def nll_one_hot(z, t):
    return -np.sum(t * np.log(softmax(z))) / len(z)


def mse(z, t):
    return np.mean((z - t) ** 2)


def half_sse(z, t):
    return 0.5 * np.sum((t - z) ** 2)


def bce(p, t):
    return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))


def bce_logits(z, t):
    return -np.mean(t * np.log(sigmoid(z)) + (1 - t) * np.log(1 - sigmoid(z)))


def svm(z, y):
    margins = np.maximum(0, z - z[np.arange(len(z)), y][:, None] + 1)
    margins[np.arange(len(z)), y] = 0
    return margins.sum() / len(z)


# Networks


def mlp_data(rng, sizes=(4, 6, 3), n=7):
    params = {}
    for k, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False), 1):
        params[f"W{k}"], params[f"b{k}"] = rng.normal(size=(a, b)), 0.3 * rng.normal(size=b)
    return params, rng.normal(size=(n, sizes[0])), np.eye(sizes[-1])[rng.integers(0, sizes[-1], n)]


def three_layers(rng):
    return mlp_data(rng, (4, 5, 5, 3))


def mlp_run(p, x, f):
    """Return every pre-activation and every activation; the last layer is linear."""
    z, a, k = [], [x], 1
    while f"W{k}" in p:
        z.append(a[-1] @ p[f"W{k}"] + p[f"b{k}"])
        a.append(f(z[-1]))
        k += 1
    return z, a


def mlp_gradients(a, *deltas):
    """Return the gradients of dense layers, from what they got and from the delta of each."""
    found = {}
    for k, delta in enumerate(deltas, 1):
        found |= {f"W{k}": a[k - 1].T @ delta, f"b{k}": delta.sum(0)}
    return found


def relu(z):
    return np.maximum(0, z)


def sigmoid_softmax_loss(p, x, t):
    z, _ = mlp_run(p, x, sigmoid)
    return -np.sum(t * np.log(softmax(z[-1]))) / len(x)


def relu_softmax_loss(p, x, t):
    z, _ = mlp_run(p, x, relu)
    return -np.sum(t * np.log(softmax(z[-1]))) / len(x)


def sigmoid_square_loss(p, x, t):
    _, a = mlp_run(p, x, sigmoid)
    return 0.5 * np.sum((a[-1] - t) ** 2)


def tanh_square_loss(p, x, t):
    z, _ = mlp_run(p, x, np.tanh)
    return np.mean((z[-1] - t) ** 2)


def cnn_data(rng):
    params = {
        "kernels": rng.normal(size=(3, 1, 3, 3)) * 0.5,
        "cb": rng.normal(size=3) * 0.3,
        "W": rng.normal(size=(3 * 2 * 2, 4)),
        "b": rng.normal(size=4),
    }
    return params, rng.normal(size=(5, 1, 6, 6)), np.eye(4)[rng.integers(0, 4, 5)]


def cnn_run(p, x):
    z = conv_out(x, p["kernels"], p["cb"], 1, 0)
    a = relu(z)
    n, f, h, w = a.shape
    pooled = a.reshape(n, f, h // 2, 2, w // 2, 2).max(axis=(3, 5))
    flat = pooled.reshape(n, -1)
    return z, a, pooled, flat, flat @ p["W"] + p["b"]


def cnn_loss(p, x, t):
    return -np.sum(t * np.log(softmax(cnn_run(p, x)[-1]))) / len(x)
