"""Backward passes that are right and look unlike each other; some of them look wrong at first sight."""

import numpy as np

from tests.diagnosis.students import collection
from tests.diagnosis.students import shared as s

RIGHT, backward, forward, gradient, gradients = collection()

# Convolution


@backward("conv2d")
def fast_im2col(dout, x, w, b, stride, pad):
    F, _, R, S = w.shape
    flat = dout.transpose(1, 2, 3, 0).reshape(F, -1)
    dw = flat.dot(s.im2col(x, R, S, pad, stride).T).reshape(w.shape)
    return s.col2im(w.reshape(F, -1).T.dot(flat), x.shape, R, S, pad, stride), dw, np.sum(dout, axis=(0, 2, 3))


@backward("conv2d")
def scipy_style(dy, x, w, b):
    """For stride 1: dX by a true full convolution, dW by a valid correlation."""
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for n in range(len(x)):
        for f in range(len(w)):
            for c in range(x.shape[1]):
                dx[n, c] += s.convolve2d(dy[n, f], w[f, c], "full")
                dw[f, c] += s.correlate2d(x[n, c], dy[n, f])
    return dx, dw, dy.sum((0, 2, 3))


@backward("conv2d")
def roles_exchanged(dy, x, w, b):
    """The same with "valid" and "full" swapped: dW by a convolution that is rotated back."""
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for n in range(len(x)):
        for f in range(len(w)):
            for c in range(x.shape[1]):
                dx[n, c] += s.correlate2d(dy[n, f], np.rot90(w[f, c], 2), "full")
                dw[f, c] += s.convolve2d(x[n, c], dy[n, f][::-1, ::-1])
    return dx, dw, dy.sum((0, 2, 3))


@backward("conv2d")
def by_fourier_transform(dy, x, w, b):
    H, W = x.shape[2:]
    size = (H + w.shape[2], W + w.shape[3])
    D, K, X = (np.fft.rfft2(a, size) for a in (dy, w, x))
    dx = np.fft.irfft2(np.einsum("nfij,fcij->ncij", D, K), size)[:, :, :H, :W]
    dw = np.fft.irfft2(np.einsum("nfij,ncij->fcij", D.conj(), X), size)[:, :, : w.shape[2], : w.shape[3]]
    return dx, dw, dy.sum((0, 2, 3))


@backward("conv2d")
def one_giant_matrix(dy, x, w, b):
    """The convolution as a matrix, built column by column, and its transpose."""
    size = x[0].size
    M = np.stack([s.conv_out(e.reshape(1, *x.shape[1:]), w, 0 * b, 1, 0).ravel() for e in np.eye(size)], axis=1)
    dx = (dy.reshape(len(x), -1) @ M).reshape(x.shape)
    dw = np.zeros_like(w)
    for at in np.ndindex(*w.shape):
        e = np.zeros_like(w)
        e[at] = 1
        dw[at] = np.sum(dy * s.conv_out(x, e, 0 * b, 1, 0))
    return dx, dw, dy.sum(axis=(0, 2, 3))


@backward("conv2d")
def strided_views(dy, x, w, b, stride, pad):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    I, J = dy.shape[2:]
    n, c, h, v = xp.strides
    view = np.lib.stride_tricks.as_strided(
        xp, (*xp.shape[:2], *w.shape[2:], I, J), (n, c, h, v, h * stride, v * stride)
    )
    dw = np.tensordot(dy, view, ((0, 2, 3), (0, 4, 5)))
    dxp = np.zeros_like(xp)
    for i in range(I):
        for j in range(J):
            dxp[:, :, i * stride : i * stride + w.shape[2], j * stride : j * stride + w.shape[3]] += np.tensordot(
                dy[:, :, i, j], w, (1, 0)
            )
    end = [None if pad == 0 else -pad] * 2
    return dxp[:, :, pad : end[0], pad : end[1]], dw, np.add.reduce(dy, axis=(0, 2, 3))


class NaiveConv:
    """Gradients kept as attributes; only dx is returned; the bias is a column."""

    def __init__(self, num_filters, input_channels, kernel_size):
        k = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.filters = np.random.randn(num_filters, input_channels, *k)
        self.biases = np.zeros((num_filters, 1))

    def forward(self, image):
        self.last_input = image
        return s.conv_out(image, self.filters, self.biases.ravel(), 1, 0)

    def backward(self, d_L_d_out):
        F, _, R, S = self.filters.shape
        flat = d_L_d_out.transpose(1, 2, 3, 0).reshape(F, -1)
        self.d_filters = (flat @ s.im2col(self.last_input, R, S, 0, 1).T).reshape(self.filters.shape)
        self.d_biases = d_L_d_out.sum((0, 2, 3)).reshape(-1, 1)
        return s.col2im(self.filters.reshape(F, -1).T @ flat, self.last_input.shape, R, S, 0, 1)


backward("conv2d")(NaiveConv)


class ConvWithGrads:
    """params and grads as dictionaries; zeroes its gradients at the start."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        k = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.params = {"W": np.random.randn(out_channels, in_channels, *k), "b": np.zeros(out_channels)}
        self.grads, self.stride, self.pad = {}, stride, padding

    def forward(self, X):
        self.cache = X
        return s.conv_out(X, self.params["W"], self.params["b"], self.stride, self.pad)

    def backward(self, dZ):
        W, X = self.params["W"], self.cache
        F, _, R, S = W.shape
        flat = dZ.transpose(1, 2, 3, 0).reshape(F, -1)
        self.grads["W"] = (flat @ s.im2col(X, R, S, self.pad, self.stride).T).reshape(W.shape)
        self.grads["b"] = dZ.sum((0, 2, 3))
        return s.col2im(W.reshape(F, -1).T @ flat, X.shape, R, S, self.pad, self.stride)


backward("conv2d")(ConvWithGrads)


def _nhwc_forward(A_prev, W, b, hparameters):
    """Images (m, h, w, c), weights (f, f, c_prev, c), biases (1, 1, 1, c), as in a well-known course."""
    stride, pad = hparameters["stride"], hparameters["pad"]
    y = s.conv_out(A_prev.transpose(0, 3, 1, 2), W.transpose(3, 2, 0, 1), b.ravel(), stride, pad)
    return y.transpose(0, 2, 3, 1), (A_prev, W, b, hparameters)


@backward("conv2d", forward=_nhwc_forward)
def channels_last(dZ, cache):
    A_prev, W, b, hparameters = cache
    stride, pad = hparameters["stride"], hparameters["pad"]
    m, n_H, n_W, n_C = dZ.shape
    f, g = W.shape[:2]
    A_pad = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dA, dW, db = np.zeros_like(A_pad), np.zeros_like(W), np.zeros(n_C)
    for i in range(m):
        for h in range(n_H):
            for v in range(n_W):
                for c in range(n_C):
                    at = (i, slice(h * stride, h * stride + f), slice(v * stride, v * stride + g))
                    dA[at] += W[:, :, :, c] * dZ[i, h, v, c]
                    dW[:, :, :, c] += A_pad[at] * dZ[i, h, v, c]
                    db[c] += dZ[i, h, v, c]
    return dA[:, pad : pad + A_prev.shape[1], pad : pad + A_prev.shape[2]], dW, db


def _conv_relu(x, w, b, stride, pad):
    z = s.conv_out(x, w, b, stride, pad)
    return np.maximum(z, 0), (x, w, b, stride, pad, z)


@backward("conv2d", forward=_conv_relu)
def convolution_and_relu_in_one(dout, cache):
    *arrays, z = cache
    return fast_im2col(dout * (z > 0), *arrays)


class ConvWithSigmoid:
    """Likewise, as an object."""

    def __init__(self, in_channels, out_channels, kernel_size):
        k = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.W, self.b = np.random.randn(out_channels, in_channels, *k), np.zeros(out_channels)

    def forward(self, x):
        self.x, self.a = x, s.sigmoid(s.conv_out(x, self.W, self.b, 1, 0))
        return self.a

    def backward(self, da):
        dx, self.dW, self.db = fast_im2col(da * self.a * (1 - self.a), self.x, self.W, self.b, 1, 0)
        return dx


backward("conv2d")(ConvWithSigmoid)


@backward("conv2d")
def one_image_one_channel(dy, x, w, b):
    """Written for a single image, checked as such."""
    assert x.shape[:2] == (1, 1) and w.shape[:2] == (1, 1)  # noqa: PT018
    dx = s.convolve2d(dy[0, 0], w[0, 0], "full")[None, None]
    return dx, s.correlate2d(x[0, 0], dy[0, 0])[None, None], np.array([dy.sum()])


@backward("conv2d")
def in_single_precision(dy, x, w, b, stride, pad):
    return fast_im2col(*(a.astype(np.float32) for a in (dy, x, w, b)), stride, pad)


@backward("conv2d")
def in_fortran_order(dy, x, w, b, stride, pad):
    return tuple(np.asfortranarray(a) for a in fast_im2col(dy, x, w, b, stride, pad))


@backward("conv2d")
def as_a_dictionary(dy, x, w, b, stride, pad):
    dx, dw, db = fast_im2col(dy, x, w, b, stride, pad)
    return {"dW": dw, "db": db, "dX": dx}


@backward("conv2d")
def bias_first(dy, x, w, b, stride, pad):
    dx, dw, db = fast_im2col(dy, x, w, b, stride, pad)
    return db, dw, dx


@backward("conv2d")
def prints_its_shapes(dy, x, w, b, stride, pad):
    print("dy", dy.shape)
    return fast_im2col(dy, x, w, b, stride, pad)


@forward("conv2d")
def forward_by_im2col(x, w, b, stride, pad):
    F, _, R, S = w.shape
    H, W = (x.shape[2] + 2 * pad - R) // stride + 1, (x.shape[3] + 2 * pad - S) // stride + 1
    y = w.reshape(F, -1) @ s.im2col(x, R, S, pad, stride) + b.reshape(-1, 1)
    return y.reshape(F, H, W, len(x)).transpose(3, 0, 1, 2)


# Pooling


@backward("max_pool2d")
def winners_by_reshape(dy, x, k, stride):
    if stride != k:
        raise NotImplementedError("reshape needs stride = k")
    N, C, H, W = x.shape
    h, v = H // k, W // k
    cut = x[:, :, : h * k, : v * k].reshape(N, C, h, k, v, k)
    top = cut.max(axis=(3, 5), keepdims=True)
    mask = cut == top
    share = dy[:, :, :, None, :, None] * mask / mask.sum(axis=(3, 5), keepdims=True)
    dx = np.zeros_like(x)
    dx[:, :, : h * k, : v * k] = share.reshape(N, C, h * k, v * k)
    return dx


def _pool_forward(x, pool_param):
    k, t = pool_param["pool_height"], pool_param["stride"]
    view = np.lib.stride_tricks.sliding_window_view(x, (k, pool_param["pool_width"]), (2, 3))[:, :, ::t, ::t]
    return view.max(axis=(4, 5)), (x, pool_param)


@backward("max_pool2d", forward=_pool_forward)
def pool_with_cache(dout, cache):
    x, pool_param = cache
    k, q, t = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dout.shape):
        window = x[n, c, i * t : i * t + k, j * t : j * t + q]
        a, b = np.unravel_index(np.argmax(window), window.shape)
        dx[n, c, i * t + a, j * t + b] += dout[n, c, i, j]
    return dx


class MaxPool:
    """Remembers where the maxima were."""

    def __init__(self, pool_size, stride):
        self.k, self.stride = pool_size, stride

    def forward(self, x):
        self.shape, k, t = x.shape, self.k, self.stride
        view = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::t, ::t]
        self.best = view.reshape(*view.shape[:4], -1).argmax(-1)
        return view.max(axis=(4, 5))

    def backward(self, dy):
        dx = np.zeros(self.shape)
        n, c, i, j = np.indices(self.best.shape)
        np.add.at(dx, (n, c, i * self.stride + self.best // self.k, j * self.stride + self.best % self.k), dy)
        return dx


backward("max_pool2d")(MaxPool)


@backward("avg_pool2d")
def average_by_kron(dy, x, k, stride):
    """Overlaps through a loop over windows, each with a block of ones over k²."""
    dx = np.zeros_like(x)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            block = np.kron(dy[:, :, i : i + 1, j : j + 1], np.ones((k, k)))
            dx[:, :, i * stride : i * stride + k, j * stride : j * stride + k] += block / block[0, 0].size
    return dx


# Dense layers


@backward("linear", weights="IO")
def dot_style(dout, x, w, b):
    return dout.dot(w.T), x.T.dot(dout), dout.sum(0)


@backward("linear")
def einsum_style(dout, x, w, b):
    return np.einsum("no,io->ni", dout, w), np.einsum("ni,no->io", x, dout), np.einsum("no->o", dout)


def _affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w, b)


@backward("linear", forward=_affine_forward)
def affine(dout, cache):
    x, w, b = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)


class Dense:
    """Updates itself, but after dx."""

    def __init__(self, input_size, output_size):
        self.weights = np.random.randn(input_size, output_size)
        self.bias = np.zeros((1, output_size))

    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.weights + self.bias

    def backward(self, output_gradient, learning_rate):
        self.dweights = self.inputs.T @ output_gradient
        self.dbias = output_gradient.sum(axis=0, keepdims=True)
        input_gradient = output_gradient @ self.weights.T
        self.weights -= learning_rate * self.dweights
        self.bias -= learning_rate * self.dbias
        return input_gradient


backward("linear")(Dense)


class UpdatesItself:
    """Keeps no gradient at all: what it subtracts gives it away."""

    def __init__(self, input_size, output_size):
        self.weights, self.bias = np.random.randn(output_size, input_size), np.random.randn(output_size, 1)

    def forward(self, input):  # noqa: A002
        self.input = input
        return np.dot(self.input, self.weights.T) + self.bias.T

    def backward(self, output_gradient, learning_rate):
        weights_gradient = np.dot(output_gradient.T, self.input)
        input_gradient = np.dot(output_gradient, self.weights)
        self.weights -= learning_rate * weights_gradient
        self.bias -= learning_rate * output_gradient.sum(axis=0).reshape(-1, 1)
        return input_gradient


backward("linear")(UpdatesItself)


class OwnRate:
    """The same with a learning rate of its own, and momentum that is never used."""

    def __init__(self, n_in, n_out, lr=0.01):
        self.W, self.b, self.lr = np.random.randn(n_in, n_out), np.zeros(n_out), lr
        self.velocity = np.zeros_like(self.W)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        dx = dout @ self.W.T
        self.W = self.W - self.lr * self.x.T @ dout
        self.b = self.b - self.lr * dout.sum(0)
        return dx


backward("linear")(OwnRate)


class Affine:
    """Parameters and gradients in lists, written in place."""

    def __init__(self, input_size, output_size):
        self.params = [np.random.randn(input_size, output_size), np.zeros(output_size)]
        self.grads = [np.zeros_like(a) for a in self.params]

    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ self.params[0].T


backward("linear")(Affine)


class KernelsUpdated:
    """A convolution of the same kind, with correlations plane by plane."""

    def __init__(self, input_channels, kernel_size, depth):
        k = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.kernels, self.biases = np.random.randn(depth, input_channels, *k), np.random.randn(depth)

    def forward(self, input):  # noqa: A002
        self.input = input
        return s.conv_out(input, self.kernels, self.biases, 1, 0)

    def backward(self, output_gradient, learning_rate):
        kernels_gradient, input_gradient = np.zeros(self.kernels.shape), np.zeros(self.input.shape)
        for n in range(len(self.input)):
            for i in range(self.kernels.shape[0]):
                for j in range(self.kernels.shape[1]):
                    kernels_gradient[i, j] += s.correlate2d(self.input[n, j], output_gradient[n, i], "valid")
                    input_gradient[n, j] += s.convolve2d(output_gradient[n, i], self.kernels[i, j], "full")
        self.kernels -= learning_rate * kernels_gradient
        self.biases -= learning_rate * output_gradient.sum((0, 2, 3))
        return input_gradient


backward("conv2d")(KernelsUpdated)

# Activations


@backward("relu")
def in_place_of_a_copy(dy, x):
    dx = np.array(dy, copy=True)
    dx[x <= 0] = 0
    return dx


@backward("relu")
def by_sign(dy, x):
    return dy * (np.sign(x) + 1) / 2


@backward("relu")
def half_at_zero(dy, x):
    return np.where(x > 0, 1, np.where(x < 0, 0, 0.5)) * dy


class Sigmoid:
    def forward(self, z):
        self.output = s.sigmoid(z)
        return self.output

    def backward(self, d):
        return d * self.output * (1.0 - self.output)


backward("sigmoid")(Sigmoid)


def _tanh(z):
    a = np.tanh(z)
    return a, a


@backward("tanh", forward=_tanh)
def from_the_output(da, a):
    return da * (1 - a * a)


@backward("tanh")
def by_sigmoid(dy, x):
    return 4 * s.sigmoid(2 * x) * (1 - s.sigmoid(2 * x)) * dy


@backward("softmax")
def jacobian_for_each(dy, z):
    out = np.empty_like(z)
    for k, (single, d) in enumerate(zip(s.softmax(z), dy, strict=True)):
        single = single.reshape(-1, 1)
        out[k] = np.dot(np.diagflat(single) - np.dot(single, single.T), d)
    return out


@backward("softmax")
def batched_jacobian(dy, z):
    p = s.softmax(z)
    J = p[:, :, None] * np.eye(z.shape[1])[None] - p[:, :, None] * p[:, None, :]
    return (J @ dy[:, :, None])[:, :, 0]


# Losses


@gradient(s.nll, s.scores_and_classes)
def minus_one_at_the_class(z, y):
    p = s.softmax(z)
    p[range(len(z)), y] -= 1
    return p / len(z)


@gradient(s.mse, s.values)
def negative_of_the_error(z, t):
    error = t - z
    return -2 * error / error.size


@gradient(s.half_sse, s.values)
def plain_difference(z, t):
    return z - t


@gradient(s.bce, s.chances)
def quotient(p, t):
    return (p - t) / (p * (1 - p)) / len(p)


@gradient(s.bce, s.chances)
def two_terms_clipped(p, t):
    q = np.clip(p, 1e-12, 1 - 1e-12)
    return -(t / q - (1 - t) / (1 - q)) / p.size


@gradient(s.svm, s.scores_and_classes)
def margins_counted(z, y):
    margins = (z - z[np.arange(len(z)), y][:, None] + 1 > 0).astype(float)
    margins[np.arange(len(z)), y] = 0
    margins[np.arange(len(z)), y] = -margins.sum(axis=1)
    return margins / len(z)


# Normalisation and dropout


@backward("batch_norm2d", layout="NC")
def twelve_steps(dout, x, gamma, beta, eps):
    """Node by node; the term of dmu through the variance is left out, which is 0 anyway."""
    N = len(x)
    mu, var = x.mean(0), x.var(0)
    xmu, istd = x - mu, 1 / np.sqrt(var + eps)
    dxhat = dout * gamma
    dvar = -0.5 * np.sum(dxhat * xmu, axis=0) * istd**3
    dmu = -np.sum(dxhat * istd, axis=0)
    return dxhat * istd + dvar * 2 * xmu / N + dmu / N, np.sum(dout * xmu * istd, axis=0), np.sum(dout, axis=0)


@backward("batch_norm2d", layout="NCHW")
def images_as_rows(dout, x, gamma, beta, eps):
    N, C, H, W = x.shape
    rows = lambda a: a.transpose(0, 2, 3, 1).reshape(-1, C)  # noqa: E731
    dx, dgamma, dbeta = twelve_steps(rows(dout), rows(x), gamma, beta, eps)
    return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta


def _drop_keep(x, keep_prob, rng):
    mask = (rng.random(x.shape) < keep_prob) / keep_prob
    return x * mask, mask


@backward("dropout", forward=_drop_keep)
def keeps_with_probability(dout, mask):
    return dout * mask


def _drop_anywhere(x, p):
    """Draws from the global generator: another mask at every call."""
    mask = np.random.rand(*x.shape) >= p
    return x * mask / (1 - p), (mask, p)


@backward("dropout", forward=_drop_anywhere)
def draws_from_the_global_generator(dout, cache):
    mask, p = cache
    return dout * mask / (1 - p)


# Networks


@gradients(s.sigmoid_softmax_loss, s.mlp_data)
def textbook(p, x, t):
    z, a = s.mlp_run(p, x, s.sigmoid)
    d2 = (s.softmax(z[1]) - t) / len(x)
    d1 = d2 @ p["W2"].T * a[1] * (1 - a[1])
    return s.mlp_gradients(a, d1, d2)


@gradients(s.relu_softmax_loss, s.mlp_data)
def masked_by_the_output(p, x, t):
    z, a = s.mlp_run(p, x, s.relu)
    d2 = (s.softmax(z[1]) - t) / len(x)
    d1 = d2 @ p["W2"].T
    d1[a[1] == 0] = 0
    return x.T @ d1, d1.sum(0), a[1].T @ d2, d2.sum(0)


@gradients(s.sigmoid_square_loss, s.three_layers)
def sample_by_sample(p, x, t):
    total = {name: np.zeros_like(a) for name, a in p.items()}
    for one, goal in zip(x, t, strict=True):
        z, a = s.mlp_run(p, one[None], s.sigmoid)
        delta = (a[3] - goal) * a[3] * (1 - a[3])
        for k in (3, 2, 1):
            total[f"W{k}"] += np.outer(a[k - 1], delta)
            total[f"b{k}"] += delta[0]
            if k > 1:
                delta = delta @ p[f"W{k}"].T * a[k - 1] * (1 - a[k - 1])
    return total


@gradients(s.cnn_loss, s.cnn_data)
def small_cnn(p, x, t):
    z, a, pooled, flat, scores = s.cnn_run(p, x)
    d = (s.softmax(scores) - t) / len(x)
    up = lambda q: q.repeat(2, axis=2).repeat(2, axis=3)  # noqa: E731
    dz = up((d @ p["W"].T).reshape(pooled.shape)) * (a == up(pooled)) * (z > 0)
    flat_z = dz.transpose(1, 2, 3, 0).reshape(3, -1)
    dk = (flat_z @ s.im2col(x, 3, 3, 0, 1).T).reshape(p["kernels"].shape)
    return {"dW": flat.T @ d, "db": d.sum(0), "dkernels": dk, "dcb": dz.sum((0, 2, 3))}
