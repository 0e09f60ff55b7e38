"""Forty more backward passes that are wrong, written after the first were understood."""

import numpy as np

from tests.diagnosis.students import collection
from tests.diagnosis.students import shared as s
from tests.diagnosis.students.right import fast_im2col

WRONG_TOO, backward, forward, gradient, gradients = collection()

# Convolution


@backward("conv2d", "overlap_overwritten", "wrong_loop_variable_as_index", "overwritten_in_batch_loop")
def assigned_for_each_filter(dy, x, w, b):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for n in range(len(x)):
        for f in range(len(w)):
            for c in range(x.shape[1]):
                dx[n, c] = s.convolve2d(dy[n, f], w[f, c], "full")
                dw[f, c] += s.correlate2d(x[n, c], dy[n, f])
    return dx, dw, dy.sum((0, 2, 3))


@backward("conv2d", "kernel_gradient_flipped", "kernel_not_rotated")
def delta_rotated_for_dw(dy, x, w, b):
    dx, dw, db = fast_im2col(dy, x, w, b, 1, 0)
    return dx, fast_im2col(np.rot90(dy, 2, (2, 3)), x, w, b, 1, 0)[1], db


@backward(
    "conv2d", "full_padding_missing", "dx_shape_wrong_no_convolution", "forward_backward_padding_disagree",
    "padding_not_cropped",
)  # fmt: skip
def dx_in_mode_same(dy, x, w, b):
    """Odd square kernels: dX in mode "same", which has the size of dy."""
    if w.shape[2] != w.shape[3] or w.shape[2] % 2 == 0:
        raise ValueError("odd square kernels only")
    r = w.shape[2] // 2
    dx = np.zeros((len(x), x.shape[1], *dy.shape[2:]))
    for n in range(len(x)):
        for f in range(len(w)):
            for c in range(x.shape[1]):
                dx[n, c] += s.convolve2d(dy[n, f], w[f, c], "full")[r:-r, r:-r]
    return dx, fast_im2col(dy, x, w, b, 1, 0)[1], dy.sum((0, 2, 3))


@backward("conv2d", "batch_scale_wrong")
def mean_over_positions(dy, x, w, b, stride, pad):
    dx, dw, db = fast_im2col(dy, x, w, b, stride, pad)
    return dx, dw / (dy.shape[2] * dy.shape[3]), db


@backward("conv2d", "integer_truncation")
def integers_for_dx(dy, x, w, b, stride, pad):
    dx, dw, db = fast_im2col(dy, x, w, b, stride, pad)
    out = np.zeros(x.shape, dtype=int)
    for at in np.ndindex(*x.shape):
        out[at] = dx[at]
    return out, dw, db


@backward("conv2d", "stride_not_dilated", "stride_ignored_in_backward")
def taps_without_stride(dy, x, w, b, stride):
    """dW[r, s] = Σ x[r:r+I, s:s+J]·dy: right at stride 1."""
    dw, (I, J) = np.zeros_like(w), dy.shape[2:]
    for r in range(w.shape[2]):
        for q in range(w.shape[3]):
            dw[:, :, r, q] = np.einsum("nfij,ncij->fc", dy, x[:, :, r : r + I, q : q + J])
    dx, _, db = fast_im2col(dy, x, w, b, stride, 0)
    return dx, dw, db


@backward("conv2d", "forward_backward_padding_disagree")
def padding_forgotten_in_dw(dy, x, w, b, stride, pad):
    dw = np.zeros_like(w)
    R, S = w.shape[2:]
    for n, f, i, j in np.ndindex(*dy.shape):
        window = x[n, :, i * stride : i * stride + R, j * stride : j * stride + S]
        dw[f, :, : window.shape[1], : window.shape[2]] += window * dy[n, f, i, j]
    dx, _, db = fast_im2col(dy, x, w, b, stride, pad)
    return dx, dw, db


@backward("conv2d", "bias_gradient_wrong_tensor")
def bias_from_the_output(dy, x, w, b, stride, pad):
    dx, dw, _ = fast_im2col(dy, x, w, b, stride, pad)
    return dx, dw, s.conv_out(x, w, b, stride, pad).sum((0, 2, 3))


@backward("conv2d", "missing_bias_gradient")
def bias_gradient_not_written(dy, x, w, b, stride, pad):
    dx, dw, db = fast_im2col(dy, x, w, b, stride, pad)
    db = np.zeros_like(b)
    for f in range(len(b)):
        db_f = db[f]
        db_f = db_f + dy[:, f].sum()
    return dx, dw, db


@backward("conv2d", "dx_not_propagated", "dx_all_zero_write_to_copy")
def writes_to_a_copy(dy, x, w, b, stride, pad):
    dx = np.zeros_like(x)
    flat = dx.flatten()
    flat += fast_im2col(dy, x, w, b, stride, pad)[0].ravel()
    return dx, *fast_im2col(dy, x, w, b, stride, pad)[1:]


@backward("conv2d", "returns_wrong_variable")
def dw_and_db_exchanged_with_dx(dy, x, w, b, stride, pad):
    dx, dw, db = fast_im2col(dy, x, w, b, stride, pad)
    return x, dw, db


@backward("conv2d", "channels_mixed_in_weight_gradient")
def channels_summed(dy, x, w, b, stride, pad):
    dx, dw, db = fast_im2col(dy, x, w, b, stride, pad)
    xs = np.repeat(x.sum(1, keepdims=True), x.shape[1], axis=1)
    return dx, fast_im2col(dy, xs, w, b, stride, pad)[1], db


@forward("conv2d", "forward_stride_index_wrong")
def steps_the_output(x, w, b, stride):
    R, S = w.shape[2:]
    H, W = (x.shape[2] - R) // stride + 1, (x.shape[3] - S) // stride + 1
    y = np.zeros((len(x), len(w), H, W))
    for i in range(H):
        for j in range(W):
            y[:, :, i, j] = np.einsum("ncrs,fcrs->nf", x[:, :, i : i + R, j : j + S], w) + b
    return y


@forward("conv2d", "wrong_loop_variable_as_index", "early_return_in_loop", "overlap_overwritten")
def only_the_last_channel(x, w, b, stride, pad):
    for c in range(x.shape[1]):
        y = s.conv_out(x[:, c : c + 1], w[:, c : c + 1], b, stride, pad)
    return y


class ConvInPlaceRelu:
    """The activation overwrites what the layer saved: forward clips its own input in place."""

    def __init__(self, in_channels, out_channels, kernel_size):
        k = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.W, self.b = np.random.randn(out_channels, in_channels, *k), np.zeros(out_channels)

    def forward(self, x):
        self.x = x
        y = s.conv_out(x, self.W, self.b, 1, 0)
        self.x[self.x < 0] = 0
        return y

    def backward(self, dout):
        dx, self.dW, self.db = fast_im2col(dout, self.x, self.W, self.b, 1, 0)
        return dx


backward("conv2d", "cache_overwritten_in_place", "relu_mask_wrong_tensor")(ConvInPlaceRelu)


class DenseSigmoid:
    """Its forward has the sigmoid, its backward has not."""

    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return s.sigmoid(x @ self.W + self.b)

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T


backward("linear", "missing_activation_derivative")(DenseSigmoid)


class DenseWrongSign:
    """Adds its step, with dout = output − target."""

    def __init__(self, input_size, output_size):
        self.weights, self.bias = np.random.randn(input_size, output_size), np.zeros((1, output_size))

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.bias

    def backward(self, dout, learning_rate):
        dx = dout @ self.weights.T
        self.weights += learning_rate * self.x.T @ dout
        self.bias += learning_rate * dout.sum(0, keepdims=True)
        return dx


backward("linear", "sign_error")(DenseWrongSign)

# Pooling, shapes


@backward("max_pool2d", "wrong_loop_variable_as_index")
def channel_zero_decides(dy, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dy.shape):
        window = x[n, 0, i * stride : i * stride + k, j * stride : j * stride + k]
        r, q = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, i * stride + r, j * stride + q] += dy[n, c, i, j]
    return dx


@backward("max_pool2d", "upstream_gradient_not_multiplied")
def mask_alone(dy, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dy.shape):
        window = x[n, c, i * stride : i * stride + k, j * stride : j * stride + k]
        r, q = np.unravel_index(window.argmax(), window.shape)
        dx[n, c, i * stride + r, j * stride + q] = 1
    return dx


@backward("avg_pool2d", "avgpool_share_wrong")
def side_plus_side(dy, x, k, stride):
    dx = np.zeros_like(x)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            dx[:, :, i * stride : i * stride + k, j * stride : j * stride + k] += dy[:, :, i : i + 1, j : j + 1] / (
                k + k
            )
    return dx


@backward("global_avg_pool2d", "avgpool_share_wrong", "batch_scale_wrong")
def spread_without_division(dy, x):
    return np.broadcast_to(dy[:, :, None, None], x.shape).copy()


@backward("flatten", "reshape_axes_wrong")
def fortran_order(dy, x):
    return dy.reshape(x.shape, order="F")


@backward("upsample_nearest2d", "overlap_overwritten", "upsample_sum_missing", "early_return_in_loop")
def corner_of_each_block(dy, x, scale_factor):
    return dy[:, :, ::scale_factor, ::scale_factor].copy()


# Activations, softmax, normalisation


@backward("softmax", "softmax_derivative_formula_wrong", "sign_error")
def plus_off_the_diagonal(dy, z):
    p, dz = s.softmax(z), np.zeros_like(z)
    for n in range(len(z)):
        for i in range(z.shape[1]):
            for j in range(z.shape[1]):
                dz[n, i] += dy[n, j] * (p[n, i] * (1 - p[n, i]) if i == j else p[n, i] * p[n, j])
    return dz


@backward("tanh", "activation_derivative_formula_wrong")
def square_inside(dy, x):
    return dy * (1 - np.tanh(x**2))


@backward(
    "relu", "activation_derivative_of_wrong_tensor", "returns_wrong_variable", "missing_activation_derivative"
)
def times_its_value(dy, x):
    return dy * np.maximum(0, x)


@backward("leaky_relu", "upstream_gradient_not_multiplied", "activation_derivative_formula_wrong")
def dy_on_one_side_only(dy, x, alpha):
    return np.where(x > 0, dy, alpha)


@backward("relu", "mask_inverted", "relu_mask_wrong_tensor", "activation_derivative_formula_wrong")
def keeps_the_negative(dy, x):
    dx = dy.copy()
    dx[x > 0] = 0
    return dx


@backward("batch_norm2d", "bn_sum_axes_wrong", layout="NCHW")
def gamma_over_the_batch_alone(dout, x, gamma, beta, eps):
    axes, shape = (0, 2, 3), (1, -1, 1, 1)
    std = np.sqrt(x.var(axes, keepdims=True) + eps)
    xhat = (x - x.mean(axes, keepdims=True)) / std
    g = dout * gamma.reshape(shape)
    dx = (g - g.mean(axes, keepdims=True) - xhat * (g * xhat).mean(axes, keepdims=True)) / std
    return dx, (dout * xhat).sum(axis=0), dout.sum(axes)


@backward("layer_norm", "axis_wrong")
def over_the_batch(dout, x, gamma, beta, eps):
    std = np.sqrt(x.var(1, keepdims=True) + eps)
    xhat = (x - x.mean(1, keepdims=True)) / std
    g = dout * gamma
    dx = (g - g.mean(0, keepdims=True) - xhat * (g * xhat).mean(0, keepdims=True)) / std
    return dx, (dout * xhat).sum(0), dout.sum(0)


# Losses


@gradient(s.bce, s.chances, "sign_error")
def turned_around(p, t):
    return (t - p) / (p * (1 - p)) / len(p)


@gradient(s.half_sse, s.values, "batch_scale_wrong")
def two_too_many(z, t):
    return 2 * (z - t)


@gradient(s.nll, s.scores_and_classes, "wrong_loop_variable_as_index", "loss_derivative_wrong")
def minus_one_in_a_whole_column(z, y):
    p = s.softmax(z)
    p[:, y] -= 1
    return p / len(z)


# Networks


def _square_net(rng):
    return s.mlp_data(rng, (5, 5, 5))


@gradients(s.sigmoid_softmax_loss, _square_net, "weights_not_transposed", "weight_gradient_transposed")
def transpose_forgotten(p, x, t):
    z, a = s.mlp_run(p, x, s.sigmoid)
    d2 = (s.softmax(z[1]) - t) / len(x)
    d1 = d2 @ p["W2"] * a[1] * (1 - a[1])
    return s.mlp_gradients(a, d1, d2)


@gradients(s.sigmoid_softmax_loss, _square_net, "output_used_instead_of_input", "wrong_layer_gradient")
def hidden_output_for_the_input(p, x, t):
    z, a = s.mlp_run(p, x, s.sigmoid)
    d2 = (s.softmax(z[1]) - t) / len(x)
    d1 = d2 @ p["W2"].T * a[1] * (1 - a[1])
    return {"W1": a[1].T @ d1, "b1": d1.sum(0), "W2": a[1].T @ d2, "b2": d2.sum(0)}


def _decayed_loss(p, x, t):
    return s.relu_softmax_loss(p, x, t) + 0.5 * 0.1 * (np.sum(p["W1"] ** 2) + np.sum(p["W2"] ** 2))


@gradients(_decayed_loss, s.mlp_data, "regulariser_gradient_wrong")
def decay_forgotten(p, x, t):
    z, a = s.mlp_run(p, x, s.relu)
    d2 = (s.softmax(z[1]) - t) / len(x)
    d1 = d2 @ p["W2"].T * (z[0] > 0)
    return s.mlp_gradients(a, d1, d2)


@gradients(_decayed_loss, s.mlp_data, "regulariser_gradient_wrong")
def decay_doubled(p, x, t):
    grads = decay_forgotten(p, x, t)
    return grads | {"W1": grads["W1"] + 0.2 * p["W1"], "W2": grads["W2"] + 0.2 * p["W2"]}


@gradients(s.tanh_square_loss, s.mlp_data, "overwritten_in_batch_loop")
def last_sample_only(p, x, t):
    for one, goal in zip(x, t, strict=True):
        z, a = s.mlp_run(p, one[None], np.tanh)
        d2 = 2 * (z[1] - goal) / t.size
        d1 = d2 @ p["W2"].T * (1 - a[1] ** 2)
        grads = {"W1": one[:, None] @ d1, "b1": d1[0], "W2": a[1].T @ d2, "b2": d2[0]}
    return grads


@gradients(s.tanh_square_loss, s.mlp_data, "activation_derivative_of_wrong_tensor")
def tanh_of_the_delta(p, x, t):
    z, a = s.mlp_run(p, x, np.tanh)
    d2 = 2 * (z[1] - t) / t.size
    d1 = d2 @ p["W2"].T
    d1 = d1 * (1 - np.tanh(d1) ** 2)
    return s.mlp_gradients(a, d1, d2)
