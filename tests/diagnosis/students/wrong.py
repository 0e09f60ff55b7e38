"""Sixty backward passes that are wrong."""

import numpy as np

from tests.diagnosis.students import collection
from tests.diagnosis.students import shared as s
from tests.diagnosis.students.right import fast_im2col

WRONG, backward, forward, gradient, gradients = collection()

# Convolution


@backward("conv2d", "padding_not_cropped")
def forgot_to_unpad(dout, x, w, b, stride, pad):
    N, F, H_out, W_out = dout.shape
    HH, WW = w.shape[2:]
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dx_pad, dw = np.zeros_like(x_pad), np.zeros_like(w)
    for n in range(N):
        for f in range(F):
            for i in range(H_out):
                for j in range(W_out):
                    hs, ws = i * stride, j * stride
                    dw[f] += x_pad[n, :, hs : hs + HH, ws : ws + WW] * dout[n, f, i, j]
                    dx_pad[n, :, hs : hs + HH, ws : ws + WW] += w[f] * dout[n, f, i, j]
    return dx_pad, dw, dout.sum(axis=(0, 2, 3))


@backward("conv2d", "reshape_axes_wrong")
def dout_reshaped_without_transpose(dout, x, w, b, stride, pad):
    F, C, HH, WW = w.shape
    cols = s.im2col(x, HH, WW, pad, stride)
    dout_flat = dout.reshape(F, -1)
    dw = (dout_flat @ cols.T).reshape(w.shape)
    right = dout.transpose(1, 2, 3, 0).reshape(F, -1)
    dx = s.col2im(w.reshape(F, -1).T @ right, x.shape, HH, WW, pad, stride)
    return dx, dw, dout.sum(axis=(0, 2, 3))


@backward("conv2d", "overlap_overwritten")
def col2im_assigns(dout, x, w, b, stride, pad):
    F, C, HH, WW = w.shape
    cols = s.im2col(x, HH, WW, pad, stride)
    flat = dout.transpose(1, 2, 3, 0).reshape(F, -1)
    dw = (flat @ cols.T).reshape(w.shape)
    dcols = (w.reshape(F, -1).T @ flat).reshape(C * HH * WW, -1, len(x)).transpose(2, 0, 1)
    xp = np.zeros((len(x), C, x.shape[2] + 2 * pad, x.shape[3] + 2 * pad))
    k, i, j = s.get_indices(x.shape, HH, WW, pad, stride)
    xp[:, k, i, j] = dcols
    return xp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dout.sum(axis=(0, 2, 3))


@backward("conv2d", "overlap_overwritten")
def col2im_plus_equals_with_fancy_index(dout, x, w, b, stride, pad):
    """a[idx] += b counts each index once."""
    F, C, HH, WW = w.shape
    cols = s.im2col(x, HH, WW, pad, stride)
    flat = dout.transpose(1, 2, 3, 0).reshape(F, -1)
    dw = (flat @ cols.T).reshape(w.shape)
    dcols = (w.reshape(F, -1).T @ flat).reshape(C * HH * WW, -1, len(x)).transpose(2, 0, 1)
    xp = np.zeros((len(x), C, x.shape[2] + 2 * pad, x.shape[3] + 2 * pad))
    k, i, j = s.get_indices(x.shape, HH, WW, pad, stride)
    xp[:, k, i, j] += dcols
    return xp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dout.sum(axis=(0, 2, 3))


@backward("conv2d", "kernel_not_rotated")
def correlate_in_place_of_convolve(delta, image, kernel, bias):
    """Stride 1, no padding: dX = delta full-convolved with the kernel; written with correlate."""
    N, C = image.shape[:2]
    F = kernel.shape[0]
    d_image, d_kernel = np.zeros_like(image), np.zeros_like(kernel)
    for n in range(N):
        for f in range(F):
            for c in range(C):
                d_image[n, c] += s.correlate2d(delta[n, f], kernel[f, c], mode="full")
                d_kernel[f, c] += s.correlate2d(image[n, c], delta[n, f])
    return d_image, d_kernel, delta.sum((0, 2, 3))


@backward("conv2d", "kernel_gradient_flipped")
def convolve_for_the_kernel(delta, image, kernel, bias):
    d_image, d_kernel = np.zeros_like(image), np.zeros_like(kernel)
    for n in range(len(image)):
        for f in range(len(kernel)):
            for c in range(image.shape[1]):
                d_image[n, c] += s.convolve2d(delta[n, f], kernel[f, c], mode="full")
                d_kernel[f, c] += s.convolve2d(image[n, c], delta[n, f])
    return d_image, d_kernel, delta.sum((0, 2, 3))


@backward("conv2d", "kernel_rotated_over_wrong_axes")
def rot90_once(delta, image, kernel, bias):
    d_image, d_kernel = np.zeros_like(image), np.zeros_like(kernel)
    for n in range(len(image)):
        for f in range(len(kernel)):
            for c in range(image.shape[1]):
                full = s.correlate2d(delta[n, f], np.rot90(kernel[f, c]), mode="full")
                d_image[n, c] += full
                d_kernel[f, c] += s.correlate2d(image[n, c], delta[n, f])
    return d_image, d_kernel, delta.sum((0, 2, 3))


@backward("conv2d", "stride_ignored_in_backward")
def windows_without_stride(dout, x, w, b, stride, pad):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    R, S = w.shape[2:]
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            window = xp[:, :, i : i + R, j : j + S]
            for f in range(w.shape[0]):
                dw[f] += np.sum(window * dout[:, f, i, j][:, None, None, None], axis=0)
            dxp[:, :, i * stride : i * stride + R, j * stride : j * stride + S] += np.tensordot(
                dout[:, :, i, j], w, axes=1
            )
    return dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dout.sum((0, 2, 3))


@backward("conv2d", "loop_bounds_off_by_one")
def last_window_left_out(dout, x, w, b, stride, pad):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    R, S = w.shape[2:]
    for i in range(dout.shape[2] - 1):
        for j in range(dout.shape[3] - 1):
            hs, ws = i * stride, j * stride
            for n in range(len(x)):
                for f in range(len(w)):
                    dw[f] += xp[n, :, hs : hs + R, ws : ws + S] * dout[n, f, i, j]
                    dxp[n, :, hs : hs + R, ws : ws + S] += w[f] * dout[n, f, i, j]
    return dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dout.sum((0, 2, 3))


@backward("conv2d", "batch_scale_wrong")
def kernel_gradient_averaged(dout, x, w, b, stride, pad):
    dx, dw, db = fast_im2col(dout, x, w, b, stride, pad)
    return dx, dw / len(x), db


@backward("conv2d", "bias_gradient_wrong_axes")
def bias_over_two_axes(dout, x, w, b, stride, pad):
    dx, dw, _ = fast_im2col(dout, x, w, b, stride, pad)
    return dx, dw, np.sum(np.sum(dout, axis=0), axis=1)


@backward("conv2d", "bias_gradient_wrong_axes")
def bias_is_one_number(dout, x, w, b, stride, pad):
    dx, dw, _ = fast_im2col(dout, x, w, b, stride, pad)
    return dx, dw, dout.sum() * np.ones_like(b)


@backward("conv2d", "overwritten_in_batch_loop")
def dw_of_the_last_image(dout, x, w, b, stride, pad):
    dx, db = np.zeros_like(x), np.zeros_like(b)
    F, _, R, S = w.shape
    for n in range(len(x)):
        image, d = x[n : n + 1], dout[n].reshape(F, -1)
        dw = (d @ s.im2col(image, R, S, pad, stride).T).reshape(w.shape)
        db += d.sum(axis=1)
        dx[n : n + 1] = s.col2im(w.reshape(F, -1).T @ d, image.shape, R, S, pad, stride)
    return dx, dw, db


@backward("conv2d", "forward_backward_padding_disagree")
def padded_on_one_side(dout, x, w, b, stride, pad):
    F, C, R, S = w.shape
    xp = np.zeros((len(x), C, x.shape[2] + 2 * pad, x.shape[3] + 2 * pad))
    xp[:, :, : x.shape[2], : x.shape[3]] = x
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            hs, ws = i * stride, j * stride
            dw += np.einsum("nf,ncrs->fcrs", dout[:, :, i, j], xp[:, :, hs : hs + R, ws : ws + S])
            dxp[:, :, hs : hs + R, ws : ws + S] += np.einsum("nf,fcrs->ncrs", dout[:, :, i, j], w)
    return dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dout.sum((0, 2, 3))


@backward("conv2d", "channel_axes_not_swapped")
def filters_and_channels_exchanged(dy, x, w, b):
    """Same-sized kernels with as many filters as channels."""
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for n in range(len(x)):
        for f in range(len(w)):
            for c in range(x.shape[1]):
                dx[n, c] += s.convolve2d(dy[n, f], w[c, f], "full")
                dw[f, c] += s.correlate2d(x[n, c], dy[n, f])
    return dx, dw, dy.sum((0, 2, 3))


@backward("conv2d", "stride_not_dilated")
def full_convolution_without_dilation(dy, x, w, b, stride):
    N, F, I, J = dy.shape
    C, R, S = w.shape[1:]
    dw = (dy.transpose(1, 2, 3, 0).reshape(F, -1) @ s.im2col(x, R, S, 0, stride).T).reshape(w.shape)
    dx = np.zeros_like(x)
    full = np.zeros((N, C, I + R - 1, J + S - 1))
    for n in range(N):
        for c in range(C):
            for f in range(F):
                full[n, c] += s.convolve2d(dy[n, f], w[f, c], "full")
    dx[:, :, : I + R - 1, : J + S - 1] = full[:, :, : x.shape[2], : x.shape[3]]
    return dx, dw, dy.sum((0, 2, 3))


@backward("conv2d", "wrong_loop_variable_as_index")
def n_left_over(dout, x, w, b, stride, pad):
    """x[n] after the loop over n has ended: the last image for all."""
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    R, S = w.shape[2:]
    for n in range(len(x)):
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                dxp[n, :, i * stride : i * stride + R, j * stride : j * stride + S] += np.tensordot(
                    dout[n, :, i, j], w, 1
                )
    for m in range(len(x)):
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                window = xp[n, :, i * stride : i * stride + R, j * stride : j * stride + S]
                dw += dout[m, :, i, j][:, None, None, None] * window
    return dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dout.sum((0, 2, 3))


class ConvUpdatesFirst:
    """Weights are updated before dx is computed."""

    def __init__(self, in_channels, out_channels, kernel_size):
        k = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.weights = np.random.randn(out_channels, in_channels, *k)
        self.bias = np.zeros(out_channels)

    def forward(self, inputs):
        self.inputs = inputs
        return s.conv_out(inputs, self.weights, self.bias, 1, 0)

    def backward(self, d_out, learning_rate):
        F, _, R, S = self.weights.shape
        flat = d_out.transpose(1, 2, 3, 0).reshape(F, -1)
        d_weights = (flat @ s.im2col(self.inputs, R, S, 0, 1).T).reshape(self.weights.shape)
        self.weights -= learning_rate * d_weights
        self.bias -= learning_rate * d_out.sum((0, 2, 3))
        return s.col2im(self.weights.reshape(F, -1).T @ flat, self.inputs.shape, R, S, 0, 1)


backward("conv2d", "weights_updated_before_dx")(ConvUpdatesFirst)


class ConvNeverZeroes:
    """Gradients that go on adding up."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        k = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self.W, self.b = np.random.randn(out_channels, in_channels, *k), np.zeros(out_channels)
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)
        self.stride, self.padding = stride, padding

    def forward(self, x):
        self.x = x
        return s.conv_out(x, self.W, self.b, self.stride, self.padding)

    def backward(self, dout):
        F, _, R, S = self.W.shape
        flat = dout.transpose(1, 2, 3, 0).reshape(F, -1)
        self.dW += (flat @ s.im2col(self.x, R, S, self.padding, self.stride).T).reshape(self.W.shape)
        self.db += dout.sum((0, 2, 3))
        return s.col2im(self.W.reshape(F, -1).T @ flat, self.x.shape, R, S, self.padding, self.stride)


backward("conv2d", "gradients_not_zeroed", "gradient_buffer_not_zeroed")(ConvNeverZeroes)


@backward("conv2d", "height_width_mixed_up", "wrong_loop_variable_as_index")
def rows_and_columns_exchanged(dout, x, w, b, stride, pad):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    R, S = w.shape[2:]
    for row in range(dout.shape[2]):
        for col in range(dout.shape[3]):
            r, c = col * stride, row * stride
            dw += np.einsum("nf,ncrs->fcrs", dout[:, :, row, col], xp[:, :, r : r + R, c : c + S])
            r, c = row * stride, col * stride
            dxp[:, :, r : r + R, c : c + S] += np.einsum("nf,fcrs->ncrs", dout[:, :, row, col], w)
    return dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dout.sum((0, 2, 3))


@backward("conv2d", "extra_factor_in_delta", "relu_mask_wrong_tensor", "batch_scale_wrong")
def masked_where_it_has_no_relu(dout, x, w, b, stride, pad):
    """Code copied from a conv + relu layer: delta is masked by the layer's own output."""
    z = s.conv_out(x, w, b, stride, pad)
    return fast_im2col(dout * (z > 0), x, w, b, stride, pad)


@backward("conv2d", "kernel_gradient_flipped", "kernel_not_rotated")
def both_flipped(dy, x, w, b):
    """Written for true convolutions, used in a network that correlates."""
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for n in range(len(x)):
        for f in range(len(w)):
            for c in range(x.shape[1]):
                dx[n, c] += s.correlate2d(dy[n, f], w[f, c], "full")
                dw[f, c] += s.convolve2d(x[n, c], dy[n, f])
    return dx, dw, dy.sum((0, 2, 3))


@forward("conv2d", "forward_formula_wrong", "kernel_rotated_over_wrong_axes")
def convolves_in_the_forward(x, w, b, stride, pad):
    return s.conv_out(x, w[:, :, ::-1, ::-1], b, stride, pad)


@forward("conv2d", "bias_added_per_element")
def bias_inside_the_sum(x, w, b, stride, pad):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    R, S = w.shape[2:]
    H, W = (xp.shape[2] - R) // stride + 1, (xp.shape[3] - S) // stride + 1
    y = np.zeros((len(x), len(w), H, W))
    for f in range(len(w)):
        for c in range(x.shape[1]):
            for i in range(H):
                for j in range(W):
                    patch = xp[:, c, i * stride : i * stride + R, j * stride : j * stride + S]
                    y[:, f, i, j] += (patch * w[f, c]).sum((1, 2)) + b[f]
    return y


# Pooling


@backward("max_pool2d", "pool_winner_wrong", "height_width_mixed_up", "pool_window_offset_missing")
def divmod_by_stride(dy, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dy.shape):
        window = x[n, c, i * stride : i * stride + k, j * stride : j * stride + k]
        r, q = divmod(int(window.argmax()), stride)
        if i * stride + r < x.shape[2] and j * stride + q < x.shape[3]:
            dx[n, c, i * stride + r, j * stride + q] += dy[n, c, i, j]
    return dx


@backward("max_pool2d", "pool_winner_wrong", "wrong_loop_variable_as_index")
def maximum_over_all_channels(dy, x, k, stride):
    dx = np.zeros_like(x)
    N, C, I, J = dy.shape
    for n in range(N):
        for i in range(I):
            for j in range(J):
                window = x[n, :, i * stride : i * stride + k, j * stride : j * stride + k]
                top = np.max(window)
                for c in range(C):
                    mask = window[c] == top
                    dx[n, c, i * stride : i * stride + k, j * stride : j * stride + k] += mask * dy[n, c, i, j]
    return dx


@backward("max_pool2d", "overlap_overwritten")
def pool_assigns(dy, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dy.shape):
        window = x[n, c, i * stride : i * stride + k, j * stride : j * stride + k]
        r, q = np.unravel_index(np.argmax(window), window.shape)
        dx[n, c, i * stride + r, j * stride + q] = dy[n, c, i, j]
    return dx


@backward("max_pool2d", "ties_duplicate_gradient")
def every_tie_gets_all(dy, x, k, stride):
    dx = np.zeros_like(x)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            a = x[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
            m = a == a.max(axis=(2, 3), keepdims=True)
            dx[:, :, i * stride : i * stride + k, j * stride : j * stride + k] += m * dy[:, :, i : i + 1, j : j + 1]
    return dx


@backward("max_pool2d", "pool_window_offset_missing")
def argmax_of_the_window_as_position(dy, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dy.shape):
        window = x[n, c, i * stride : i * stride + k, j * stride : j * stride + k]
        dx[n, c][np.unravel_index(window.argmax(), (k, k))] += dy[n, c, i, j]
    return dx


@backward("max_pool2d", "extra_factor_in_delta")
def multiplied_by_the_maximum(dy, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*dy.shape):
        window = x[n, c, i * stride : i * stride + k, j * stride : j * stride + k]
        r, q = np.unravel_index(np.argmax(window), window.shape)
        dx[n, c, i * stride + r, j * stride + q] += dy[n, c, i, j] * window.max()
    return dx


@backward("avg_pool2d", "avgpool_share_wrong")
def divided_by_the_side(dy, x, k, stride):
    dx = np.zeros_like(x)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            dx[:, :, i * stride : i * stride + k, j * stride : j * stride + k] += (
                dy[:, :, i, j][:, :, None, None] / k
            )
    return dx


@backward("avg_pool2d", "avgpool_share_wrong", "batch_scale_wrong")
def divided_by_the_map(dy, x, k, stride):
    dx = np.zeros_like(x)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            share = dy[:, :, i, j][:, :, None, None] / (dy.shape[2] * dy.shape[3])
            dx[:, :, i * stride : i * stride + k, j * stride : j * stride + k] += share
    return dx


@backward("avg_pool2d", "avgpool_share_wrong")
def repeated_only(dy, x, k, stride):
    """For stride = k: spread with np.repeat, without the division."""
    if stride != k or x.shape[2] % k or x.shape[3] % k:
        raise NotImplementedError("stride = k only")
    return dy.repeat(k, axis=2).repeat(k, axis=3)


# Dense layers


@backward("linear", "weight_gradient_transposed", weights="IO")
def outer_the_wrong_way(dout, x, w, b):
    return dout @ w.T, np.dot(dout.T, x), np.sum(dout, axis=0)


@backward("linear", "batch_scale_wrong", weights="IO")
def bias_is_a_mean(dout, x, w, b):
    return dout @ w.T, x.T @ dout, np.mean(dout, axis=0)


@backward("linear", "bias_gradient_wrong_axes", weights="IO")
def bias_over_the_outputs(dout, x, w, b):
    return dout @ w.T, x.T @ dout, dout.sum(axis=1)


@backward("linear", "regulariser_gradient_wrong", weights="IO")
def decay_subtracted(dout, x, w, b):
    return dout @ w.T, x.T @ dout - 0.01 * w, dout.sum(0)


@backward("linear", "overwritten_in_batch_loop", weights="IO")
def outer_of_the_last_sample(dout, x, w, b):
    for n in range(len(x)):
        dw = np.outer(x[n], dout[n])
        db = dout[n]
    return dout @ w.T, dw, db


@backward("linear", "sign_error", weights="IO")
def descends_twice(dout, x, w, b):
    return dout @ w.T, -(x.T @ dout), dout.sum(0)


# Activations and softmax


@backward("sigmoid", "activation_derivative_of_wrong_tensor")
def sigmoid_of_the_input(dy, x):
    return dy * x * (1 - x)


@backward("sigmoid", "activation_derivative_of_wrong_tensor")
def sigmoid_twice(dy, x):
    a = s.sigmoid(s.sigmoid(x))
    return dy * a * (1 - a)


@backward("tanh", "activation_derivative_of_wrong_tensor", "activation_derivative_formula_wrong")
def tanh_of_the_input(dy, x):
    return dy * (1 - x**2)


@backward("tanh", "activation_derivative_formula_wrong")
def tanh_not_squared(dy, x):
    return dy * (1 - np.tanh(x))


@backward("relu", "relu_mask_wrong_tensor")
def masked_by_dy(dy, x):
    dx = dy.copy()
    dx[dx < 0] = 0
    return dx


@backward("leaky_relu", "upstream_gradient_not_multiplied")
def slope_alone(dy, x, alpha):
    return np.where(x > 0, 1.0, alpha)


@backward("elu", "activation_derivative_formula_wrong")
def elu_without_the_constant(dy, x, alpha):
    return dy * np.where(x > 0, 1.0, alpha * (np.exp(x) - 1))


@backward("softplus", "activation_derivative_formula_wrong", "sign_error", "activation_derivative_of_wrong_tensor")
def softplus_of_minus_x(dy, x):
    return dy / (1 + np.exp(x))


@backward("silu", "activation_derivative_formula_wrong")
def swish_like_sigmoid(dy, x):
    return dy * s.sigmoid(x) * (1 - s.sigmoid(x))


@backward("softmax", "softmax_diagonal_only")
def softmax_like_sigmoid(dy, z):
    p = s.softmax(z)
    return p * (1 - p) * dy


@backward("softmax", "softmax_wrong_axis")
def exp_over_the_whole_batch(dy, z):
    e = np.exp(z - z.max())
    p = e / e.sum()
    return p * (dy - np.sum(dy * p, axis=1, keepdims=True))


@backward("softmax", "wrong_loop_variable_as_index")
def jacobian_of_the_first_sample(dy, z):
    p = s.softmax(z)[0].reshape(-1, 1)
    jacobian = np.diagflat(p) - p @ p.T
    return dy @ jacobian


# Losses


@gradient(s.nll, s.scores_and_classes, "batch_scale_wrong")
def forgot_the_mean(z, y):
    p = s.softmax(z)
    p[range(len(z)), y] -= 1
    return p


@gradient(s.mse, s.values, "sign_error")
def target_minus_output(z, t):
    return 2 * (t - z) / z.size


@gradient(s.bce, s.chances, "loss_derivative_wrong")
def only_the_positive_term(p, t):
    return -(t / p) / len(p)


@gradient(s.svm, s.scores_and_classes, "loss_derivative_wrong")
def correct_class_left_out(z, y):
    margins = (z - z[np.arange(len(z)), y][:, None] + 1 > 0) * 1.0
    margins[np.arange(len(z)), y] = 0
    return margins / len(z)


@gradient(s.bce_logits, s.scores_and_one_hot, "extra_factor_in_delta")
def sigmoid_derivative_besides(z, t):
    a = s.sigmoid(z)
    return (a - t) * a * (1 - a) / z.size


@gradient(s.nll_one_hot, s.scores_and_one_hot, "loss_derivative_wrong", "missing_activation_derivative")
def gradient_of_the_probabilities(z, t):
    return -t / s.softmax(z) / len(z)


# Normalisation and dropout


@backward("batch_norm2d", "bn_variance_term_wrong", layout="NC")
def minus_half_forgotten(dout, x, gamma, beta, eps):
    N = len(x)
    mu, var = x.mean(0), x.var(0)
    xmu, istd = x - mu, 1 / np.sqrt(var + eps)
    dxhat = dout * gamma
    dvar = np.sum(dxhat * xmu, axis=0) * istd**3
    dmu = -np.sum(dxhat * istd, axis=0) + dvar * np.mean(-2 * xmu, axis=0)
    dx = dxhat * istd + dvar * 2 * xmu / N + dmu / N
    return dx, np.sum(dout * xmu * istd, axis=0), np.sum(dout, axis=0)


@backward("batch_norm2d", "bn_xhat_missing", layout="NC")
def gamma_with_x(dout, x, gamma, beta, eps):
    N = len(x)
    xhat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    dxhat = dout * gamma
    dx = (N * dxhat - dxhat.sum(0) - xhat * (dxhat * xhat).sum(0)) / (N * np.sqrt(x.var(0) + eps))
    return dx, (dout * x).sum(0), dout.sum(0)


@backward("batch_norm2d", "bn_mean_term_missing", "bn_statistics_constant", layout="NC")
def mean_taken_for_a_constant(dout, x, gamma, beta, eps):
    xhat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    dxhat = dout * gamma
    dx = (dxhat - xhat * np.mean(dxhat * xhat, axis=0)) / np.sqrt(x.var(0) + eps)
    return dx, (dout * xhat).sum(0), dout.sum(0)


@backward("batch_norm2d", "bn_count_wrong", layout="NCHW")
def n_counts_images_only(dout, x, gamma, beta, eps):
    N = x.shape[0]
    axes, shape = (0, 2, 3), (1, -1, 1, 1)
    std = np.sqrt(x.var(axes, keepdims=True) + eps)
    xhat = (x - x.mean(axes, keepdims=True)) / std
    g = dout * gamma.reshape(shape)
    dx = (N * g - g.sum(axes, keepdims=True) - xhat * (g * xhat).sum(axes, keepdims=True)) / (N * std)
    return dx, (dout * xhat).sum(axes), dout.sum(axes)


def drop(x, p, rng):
    keep = rng.random(x.shape) > p
    return x * keep / (1 - p), (keep, 1 / (1 - p))


@backward("dropout", "dropout_scale_wrong", forward=drop)
def mask_without_scale(dout, cache):
    return dout * cache[0]


@backward("dropout", "dropout_mask_not_applied", forward=drop)
def scale_without_mask(dout, cache):
    return dout * cache[1]


# Networks


@gradients(s.sigmoid_softmax_loss, s.mlp_data, "missing_activation_derivative")
def hidden_derivative_forgotten(p, x, t):
    z, a = s.mlp_run(p, x, s.sigmoid)
    d2 = (s.softmax(z[1]) - t) / len(x)
    d1 = d2 @ p["W2"].T
    return s.mlp_gradients(a, d1, d2)


@gradients(s.sigmoid_softmax_loss, s.mlp_data, "activation_derivative_of_wrong_tensor")
def derivative_of_the_activation(p, x, t):
    z, a = s.mlp_run(p, x, s.sigmoid)
    d2 = (s.softmax(z[1]) - t) / len(x)
    d1 = d2 @ p["W2"].T * s.sigmoid(a[1]) * (1 - s.sigmoid(a[1]))
    return s.mlp_gradients(a, d1, d2)


@gradients(s.relu_softmax_loss, s.mlp_data, "extra_factor_in_delta", "softmax_diagonal_only")
def softmax_derivative_besides(p, x, t):
    z, a = s.mlp_run(p, x, s.relu)
    probs = s.softmax(z[1])
    d2 = (probs - t) * probs * (1 - probs) / len(x)
    d1 = d2 @ p["W2"].T * (z[0] > 0)
    return s.mlp_gradients(a, d1, d2)


@gradients(s.relu_softmax_loss, s.mlp_data, "relu_mask_wrong_tensor")
def masked_by_the_delta(p, x, t):
    z, a = s.mlp_run(p, x, s.relu)
    d2 = (s.softmax(z[1]) - t) / len(x)
    d1 = d2 @ p["W2"].T
    d1[d1 < 0] = 0
    return s.mlp_gradients(a, d1, d2)


@gradients(s.sigmoid_square_loss, s.three_layers, "missing_activation_derivative")
def last_sigmoid_forgotten(p, x, t):
    z, a = s.mlp_run(p, x, s.sigmoid)
    d3 = a[3] - t
    d2 = d3 @ p["W3"].T * a[2] * (1 - a[2])
    d1 = d2 @ p["W2"].T * a[1] * (1 - a[1])
    return s.mlp_gradients(a, d1, d2, d3)


@gradients(s.sigmoid_square_loss, s.three_layers, "wrong_layer_gradient", "output_used_instead_of_input")
def activations_off_by_one(p, x, t):
    z, a = s.mlp_run(p, x, s.sigmoid)
    d3 = (a[3] - t) * a[3] * (1 - a[3])
    d2 = d3 @ p["W3"].T * a[2] * (1 - a[2])
    d1 = d2 @ p["W2"].T * a[1] * (1 - a[1])
    return s.mlp_gradients(a, d1, d2, d3) | {"W3": a[1].T @ d3}


@gradients(s.sigmoid_square_loss, s.three_layers, "activation_derivative_of_wrong_tensor")
def derivative_of_a_in_every_layer(p, x, t):
    """One function for the derivative, which takes z, given a."""
    d_sigmoid = lambda v: s.sigmoid(v) * (1 - s.sigmoid(v))  # noqa: E731
    z, a = s.mlp_run(p, x, s.sigmoid)
    d3 = (a[3] - t) * d_sigmoid(a[3])
    d2 = d3 @ p["W3"].T * d_sigmoid(a[2])
    d1 = d2 @ p["W2"].T * d_sigmoid(a[1])
    return s.mlp_gradients(a, d1, d2, d3)


@gradients(s.sigmoid_square_loss, s.three_layers, "bias_gradient_wrong_axes", "batch_scale_wrong")
def every_bias_a_mean(p, x, t):
    z, a = s.mlp_run(p, x, s.sigmoid)
    d3 = (a[3] - t) * a[3] * (1 - a[3])
    d2 = d3 @ p["W3"].T * a[2] * (1 - a[2])
    d1 = d2 @ p["W2"].T * a[1] * (1 - a[1])
    return s.mlp_gradients(a, d1, d2, d3) | {"b1": d1.mean(0), "b2": d2.mean(0), "b3": d3.mean(0)}


@gradients(s.tanh_square_loss, s.mlp_data, "batch_scale_wrong")
def two_and_mean_forgotten(p, x, t):
    z, a = s.mlp_run(p, x, np.tanh)
    d2 = z[1] - t
    d1 = d2 @ p["W2"].T * (1 - a[1] ** 2)
    return s.mlp_gradients(a, d1, d2)


@gradients(s.tanh_square_loss, s.mlp_data, "missing_bias_gradient", "layer_not_trained")
def biases_stay(p, x, t):
    z, a = s.mlp_run(p, x, np.tanh)
    d2 = 2 * (z[1] - t) / t.size
    d1 = d2 @ p["W2"].T * (1 - a[1] ** 2)
    return s.mlp_gradients(a, d1, d2) | {"b1": np.zeros_like(p["b1"])}


def _cnn_gradients(p, x, t, unflatten=None, pool=None, mask=True):
    z, a, pooled, flat, scores = s.cnn_run(p, x)
    d = (s.softmax(scores) - t) / len(x)
    grads = {"W": flat.T @ d, "b": d.sum(0)}
    dflat = d @ p["W"].T
    dpool = dflat.reshape(pooled.shape) if unflatten is None else unflatten(dflat, pooled.shape)
    up = lambda q: q.repeat(2, axis=2).repeat(2, axis=3)  # noqa: E731
    da = up(dpool) * (a == up(pooled)) if pool is None else pool(dpool, a, pooled)
    dz = da * (z > 0) if mask else da
    R, S = p["kernels"].shape[2:]
    flat_z = dz.transpose(1, 2, 3, 0).reshape(len(p["kernels"]), -1)
    grads["kernels"] = (flat_z @ s.im2col(x, R, S, 0, 1).T).reshape(p["kernels"].shape)
    grads["cb"] = dz.sum((0, 2, 3))
    return grads


@gradients(s.cnn_loss, s.cnn_data, "missing_activation_derivative")
def relu_forgotten_in_a_cnn(p, x, t):
    return _cnn_gradients(p, x, t, mask=False)


@gradients(s.cnn_loss, s.cnn_data, "reshape_axes_wrong")
def flattened_in_another_order(p, x, t):
    def unflatten(d, shape):
        n, c, h, w = shape
        return d.reshape(n, h, w, c).transpose(0, 3, 1, 2)

    return _cnn_gradients(p, x, t, unflatten)


@gradients(s.cnn_loss, s.cnn_data, "max_pooling_treated_as_average", "ties_duplicate_gradient", "pool_winner_wrong")
def pooling_without_a_mask(p, x, t):
    return _cnn_gradients(p, x, t, pool=lambda d, a, m: d.repeat(2, axis=2).repeat(2, axis=3))
