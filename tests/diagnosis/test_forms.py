"""Forms of whole families: orders of axes, shared masks, powers of σ, formulas of x, skip connections."""

import numpy as np
import pytest

from tests.diagnosis.planting import named
from whygrad.diagnosis import diagnose, diagnose_arrays, diagnose_loss, diagnose_network
from whygrad.diagnosis.hints import preferred

# Convolution as a matrix product


def unfolded(x, r, s, stride, pad):
    """Columns (N, I, J, R, S, C): taps before channels."""
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))).transpose(0, 2, 3, 1)
    rows, columns = (xp.shape[1] - r) // stride + 1, (xp.shape[2] - s) // stride + 1
    found = np.empty((len(x), rows, columns, r, s, x.shape[1]))
    for i in range(rows):
        for j in range(columns):
            found[:, i, j] = xp[:, i * stride : i * stride + r, j * stride : j * stride + s]
    return found


def folded(cols, x, stride, pad):
    n, channels, height, width = x.shape
    _, rows, columns, r, s, _ = cols.shape
    out = np.zeros((n, height + 2 * pad, width + 2 * pad, channels))
    for i in range(rows):
        for j in range(columns):
            out[:, i * stride : i * stride + r, j * stride : j * stride + s] += cols[:, i, j]
    return out[:, pad : pad + height, pad : pad + width].transpose(0, 3, 1, 2)


def taps_first_beside_channels_first(dy, x, w, b, stride, pad):
    f, _, r, s = w.shape
    cols = unfolded(x, r, s, stride, pad)
    delta = dy.transpose(0, 2, 3, 1).reshape(-1, f)
    dw = (delta.T @ cols.reshape(len(delta), -1)).reshape(w.shape)
    dx = folded((delta @ w.reshape(f, -1)).reshape(cols.shape), x, stride, pad)
    return dx, dw, delta.sum(0)


def test_columns_in_another_order_than_the_weights():
    found = diagnose(taps_first_beside_channels_first, "conv2d")
    assert found["dx"].cause == found["dw"].cause == "im2col_column_order_mismatch"
    assert "(R, S, C)" in found["dx"].says
    assert found["db"].fine


def samples_taken_to_lie_last(x, w, b, stride, pad):
    f, _, r, s = w.shape
    cols = unfolded(x, r, s, stride, pad)
    n, rows, columns = cols.shape[:3]
    y = w.transpose(0, 2, 3, 1).reshape(f, -1) @ cols.reshape(n * rows * columns, -1).T + b[:, None]
    return y.reshape(f, rows, columns, n).transpose(3, 0, 1, 2)


def filters_taken_to_lie_second(x, w, b, stride, pad):
    f, _, r, s = w.shape
    cols = unfolded(x, r, s, stride, pad)
    n, rows, columns = cols.shape[:3]
    y = cols.reshape(n * rows * columns, -1) @ w.transpose(0, 2, 3, 1).reshape(f, -1).T + b
    return y.reshape(n, f, rows, columns)


@pytest.mark.parametrize("forward", [samples_taken_to_lie_last, filters_taken_to_lie_second])
def test_results_reshaped_to_another_order(forward):
    found = diagnose(None, "conv2d", forward)
    assert found.cause == "reshape_axes_wrong"


def right_of(dy, x, w, b, stride, pad):
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for r in range(w.shape[2]):
        for s in range(w.shape[3]):
            at = np.s_[:, :, r : r + stride * dy.shape[2] : stride, s : s + stride * dy.shape[3] : stride]
            dw[:, :, r, s] = np.einsum("nfij,ncij->fc", dy, xp[at])
            dxp[at] += np.einsum("nfij,fc->ncij", dy, w[:, :, r, s])
    return dxp[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dy.sum((0, 2, 3))


def kernel_kept_channels_last(dy, x, w, b, stride, pad):
    f, channels, r, s = w.shape
    other = w.reshape(r, s, channels, f).transpose(3, 2, 0, 1)
    return right_of(dy, x, other, b, stride, pad)[0], *right_of(dy, x, w, b, stride, pad)[1:]


def taps_stepped_by_the_stride(dy, x, w, b, stride, pad):
    dx, _, db = right_of(dy, x, w, b, stride, pad)
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dw = np.zeros_like(w)
    for r in range(w.shape[2]):
        for s in range(w.shape[3]):
            part = xp[:, :, r * stride :, s * stride :][:, :, : dy.shape[2], : dy.shape[3]]
            dw[:, :, r, s] = np.tensordot(dy, part, axes=((0, 2, 3), (0, 2, 3)))
    return dx, dw, db


def overlaps_averaged(dy, x, w, b, stride, pad):
    dx, dw, db = right_of(dy, x, w, b, stride, pad)
    count = right_of(np.ones_like(dy[:1, :1]), x[:1, :1], np.ones_like(w[:1, :1]), b[:1], stride, pad)[0]
    return dx / np.maximum(count, 1), dw, db


def windows_within_the_image_alone(dy, x, w, b, stride, pad):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            top, left = i * stride - pad, j * stride - pad
            if min(top, left) < 0 or top + w.shape[2] > x.shape[2] or left + w.shape[3] > x.shape[3]:
                continue
            at = np.s_[:, :, top : top + w.shape[2], left : left + w.shape[3]]
            dx[at] += np.tensordot(dy[:, :, i, j], w, 1)
            dw += np.tensordot(dy[:, :, i, j], x[at], (0, 0))
    return dx, dw, dy.sum((0, 2, 3))


def one_image_for_the_batch(dy, x, w, b, stride, pad):
    dx, dw, db = right_of(dy, x, w, b, stride, pad)
    return sum(dx), dw, db


def cut_by_one(dy, x, w, b, stride, pad):
    """Right for a padding of 1."""
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dxp, dw, db = right_of(dy, xp, w, b, stride, 0)
    return dxp[:, :, 1:-1, 1:-1], dw, db


def gradient_by_the_forward_function(dy, x, w, b, stride, pad):
    dx, dw, db = right_of(dy, x, w, b, stride, pad)
    return dx + b.sum(), dw + b.reshape(-1, 1, 1, 1), db


def taps_counted_by_columns(dy, x, w, b, stride, pad):
    f, channels, r, s = w.shape
    other = w.reshape(f, channels, s, r).transpose(0, 1, 3, 2)
    return right_of(dy, x, other, b, stride, pad)[0], *right_of(dy, x, w, b, stride, pad)[1:]


def sent_back_through_newer_weights(dy, x, w, b, stride, pad):
    _, dw, db = right_of(dy, x, w, b, stride, pad)
    return right_of(dy, x, w - 0.02 * dw, b, stride, pad)[0], dw, db


def arguments_exchanged(dy, x, w, b, stride, pad):
    dx, dw, db = right_of(dy, x, w, b, stride, pad)
    return np.rot90(dx, 2, (2, 3)), dw, db


@pytest.mark.parametrize(
    ("backward", "output", "cause"),
    [
        (kernel_kept_channels_last, "dx", "reshape_axes_wrong"),
        (taps_stepped_by_the_stride, "dw", "stride_ignored_in_backward"),
        (overlaps_averaged, "dx", "overlap_averaged"),
        (windows_within_the_image_alone, "dx", "border_missing"),
        (windows_within_the_image_alone, "dw", "border_missing"),
        (one_image_for_the_batch, "dx", "axis_wrong"),
        (arguments_exchanged, "dx", "kernel_not_rotated"),
        (cut_by_one, "dx", "forward_backward_padding_disagree"),
        (gradient_by_the_forward_function, "dx", "bias_added_to_gradient"),
        (gradient_by_the_forward_function, "dw", "bias_added_to_gradient"),
        (taps_counted_by_columns, "dx", "height_width_mixed_up"),
        (sent_back_through_newer_weights, "dx", "weights_updated_before_dx"),
    ],
)
def test_windows_and_orders_of_a_convolution(backward, output, cause):
    found = diagnose(backward, "conv2d")
    assert found[output].cause == cause, str(found)
    assert found["db"].fine


def rows_counted_in_pixels(x, w, b, stride, pad):
    cols = unfolded(x, *w.shape[2:], stride, pad)
    n, rows, columns = cols.shape[:3]
    sparse = np.zeros((n, rows * columns, w[0].size))
    for i in range(rows):
        for j in range(columns):
            at = i * stride * columns + j * stride
            if at < rows * columns:
                sparse[:, at] = cols[:, i, j].reshape(n, -1)
    y = sparse @ w.transpose(0, 2, 3, 1).reshape(len(w), -1).T + b
    return y.transpose(0, 2, 1).reshape(n, len(w), rows, columns)


def test_columns_counted_in_pixels():
    found = diagnose(None, "conv2d", rows_counted_in_pixels)
    assert found.cause == "forward_stride_index_wrong"
    assert "stride > 1" in found["y"].where


# Weights that are updated too early


@pytest.mark.parametrize(("over", "said"), [(lambda x: 1, "w − 0.05·dw"), (len, "w − 0.05/N·dw")])
def test_dense_weights_that_are_updated_first(over, said):
    def backward(dy, x, w, b):
        dw = x.T @ dy
        newer = w - 0.05 / over(x) * dw
        return dy @ newer.T, dw, dy.sum(0)

    found = diagnose(backward, "linear", weights="IO")
    assert found.cause == "weights_updated_before_dx"
    assert said in found["dx"].says


def test_one_number_tells_no_rate():
    x, w, dy = np.array([[1.5]]), np.array([[0.7]]), np.array([[2.0]])
    found = diagnose_arrays("linear", x=x, w=w, dy=dy, dx=np.array([[1.2345]]), dw=np.array([[3.4567]]))
    assert not {"weights_updated_before_dx", "regulariser_gradient_wrong"} & {f.cause for f in found}


def deep(updated):
    """Three layers; those in ``updated`` are stepped before the delta goes back through them."""
    rng = np.random.default_rng(12)
    sizes = (4, 6, 5, 3)
    params = {f"w{k}": 0.5 * rng.normal(size=sizes[k : k + 2]) for k in range(3)}
    params |= {f"b{k}": 0.1 * rng.normal(size=sizes[k + 1]) for k in range(3)}
    x, t = rng.normal(size=(8, 4)), np.eye(3)[rng.integers(0, 3, 8)]

    def ahead(p, x):
        h = [x]
        for k in range(2):
            h.append(np.tanh(h[-1] @ p[f"w{k}"] + p[f"b{k}"]))
        return h, softmax(h[-1] @ p["w2"] + p["b2"])

    def gradients(p, x, t):
        h, y = ahead(p, x)
        d, found = (y - t) / len(x), {}
        for k in (2, 1, 0):
            found |= {f"w{k}": h[k].T @ d, f"b{k}": d.sum(0)}
            w = p[f"w{k}"] - (0.4 * found[f"w{k}"] if k in updated else 0)
            d = d @ w.T * (1 - h[k] ** 2)
        return found

    return diagnose_network(lambda p, x, t: -(t * np.log(ahead(p, x)[1])).sum() / len(x), gradients, params, (x, t))


@pytest.mark.parametrize(
    ("updated", "wrong", "said"),
    [((2,), ["w0", "b0", "w1", "b1"], "w2 less 0.4"), ((1,), ["w0", "b0"], "w1 less 0.4"),
     ((1, 2), ["w0", "b0", "w1", "b1"], "every layer less 0.4")],
)  # fmt: skip
def test_a_network_that_is_updated_on_the_way_back(updated, wrong, said):
    found = deep(updated)
    assert {f.output for f in found if f.cause == "weights_updated_before_dx"} == set(wrong), str(found)
    assert all(f.fine for f in found if f.output not in wrong)
    assert said in found["w0"].says


def test_a_network_that_is_updated_at_the_end():
    assert deep(()).healthy


def test_what_is_kept_for_one_mistake_is_not_taken_for_another():
    """Mistakes that are made for one question are gone after it, and the next may lie where they lay."""
    said = {str(deep((1,))["w0"]) for _ in range(6)}
    assert len(said) == 1
    assert "w1 less 0.4" in said.pop()


# Pooling


def one_mask(dy, x, k, stride):
    peaks, out = np.zeros(x.shape, bool), np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dy.shape):
        box = (n, c, slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        r, s = divmod(int(x[box].argmax()), k)
        peaks[n, c, i * stride + r, j * stride + s] = True
    for n, c, i, j in np.ndindex(dy.shape):
        box = (n, c, slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        out[box] += dy[n, c, i, j] * peaks[box]
    return out


def painted_and_masked(dy, x, k, stride):
    peaks, out = np.zeros(x.shape, bool), np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dy.shape):
        box = (n, c, slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        r, s = divmod(int(x[box].argmax()), k)
        peaks[n, c, i * stride + r, j * stride + s] = True
        out[box] = dy[n, c, i, j]
    return np.where(peaks, out, 0)


def index_taken_apart_by_the_stride(dy, x, k, stride):
    out = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dy.shape):
        at = int(x[n, c, i * stride : i * stride + k, j * stride : j * stride + k].argmax())
        row, column = i * stride + at // stride, j * stride + at % stride
        if row < x.shape[2]:
            out[n, c, row, column] += dy[n, c, i, j]
    return out


@pytest.mark.parametrize(
    ("backward", "cause"),
    [
        (one_mask, "mask_shared_by_windows"),
        (painted_and_masked, "overlap_overwritten"),
        (index_taken_apart_by_the_stride, "pool_winner_wrong"),
    ],
)
def test_masks_and_indices_of_pooling(backward, cause):
    found = diagnose(backward, "max_pool2d")
    assert found.cause == cause
    assert "right elsewhere" in found["dx"].where


@pytest.mark.parametrize("shape", [(2, 3, 1, 2), (1, 1, 2, 1), (1, 2, 3, 3)])
def test_images_smaller_than_the_shifts_that_are_tried(shape):
    rng = np.random.default_rng(9)
    x, dy, dx = (rng.normal(size=shape) for _ in range(3))
    found = diagnose_arrays("batch_norm2d", x=x, gamma=np.ones(shape[1]), beta=np.zeros(shape[1]), dy=dy, dx=dx)
    assert not found["dx"].fine


def average(dy, x, k, stride):
    dx = np.zeros_like(x)
    for n, c, i, j in np.ndindex(dy.shape):
        dx[n, c, i * stride : i * stride + k, j * stride : j * stride + k] += dy[n, c, i, j] / k**2
    return dx


def share_by_the_size_of_the_output(dy, x, k, stride):
    return average(dy, x, k, stride) * k**2 / dy[0, 0].size


def test_a_share_by_the_stride():
    found = diagnose(lambda dy, x, k, stride: average(dy, x, k, stride) * k**2 / stride**2, "avg_pool2d")
    assert found.cause == "avgpool_share_wrong"
    assert "stride squared" in found["dx"].says


def test_another_share_of_average_pooling():
    found = diagnose(share_by_the_size_of_the_output, "avg_pool2d")
    assert found.cause == "avgpool_share_wrong"
    twice = diagnose(lambda dy, x, k, stride: 2 * average(dy, x, k, stride), "avg_pool2d")
    assert twice.cause == "gradient_counted_twice"


# Batch normalisation, term by term


def normalised(power=3, gamma_in_mean=True, rows_in_variance=False, spread_in_gamma=-1):
    """A backward pass in the steps of the paper, with what stands in them."""

    def backward(dout, x, gamma, beta, eps=1e-5):
        axes = (0, 2, 3) if x.ndim == 4 else (0,)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        m = x.size // x.shape[1]
        centred = x - x.mean(axes, keepdims=True)
        inv = 1 / np.sqrt((centred**2).mean(axes, keepdims=True) + eps)
        dhat = dout * gamma.reshape(shape)
        dvar = -0.5 * (dhat * centred).sum(axes, keepdims=True) * inv**power
        dmean = -inv * (dhat if gamma_in_mean else dout).sum(axes, keepdims=True)
        dx = dhat * inv + dvar * 2 * centred / (len(x) if rows_in_variance else m) + dmean / m
        return dx, (dout * centred * inv**-spread_in_gamma).sum(axes), dout.sum(axes)

    return backward


@pytest.mark.parametrize(
    ("wrong", "output", "cause"),
    [
        ({"power": 2}, "dx", "bn_variance_term_wrong"),
        ({"power": 1}, "dx", "bn_variance_term_wrong"),
        ({"power": 4}, "dx", "bn_variance_term_wrong"),
        ({"gamma_in_mean": False}, "dx", "bn_gamma_missing"),
        ({"rows_in_variance": True}, "dx", "bn_count_wrong"),
        ({"spread_in_gamma": 1}, "dgamma", "bn_scale_wrong"),
        ({"spread_in_gamma": -2}, "dgamma", "bn_scale_wrong"),
    ],
)
def test_terms_of_batch_normalisation(wrong, output, cause):
    found = diagnose(normalised(**wrong), "batch_norm2d")
    assert named(next(f for f in found if f.output == output), cause), str(found)
    assert all(f.fine for f in found if f.output != output)


def test_statistics_of_each_position_alone():
    def backward(dout, x, gamma, beta, eps=1e-5):
        shape = (1, -1) + (1,) * (x.ndim - 2)
        axes = (0, *range(2, x.ndim))
        spread = np.sqrt(x.var(0) + eps)
        hat = (x - x.mean(0)) / spread
        d = dout * gamma.reshape(shape)
        return (d - d.mean(0) - hat * (d * hat).mean(0)) / spread, (dout * hat).sum(axes), dout.sum(axes)

    found = diagnose(backward, "batch_norm2d", layout="NCHW")
    assert found["dx"].cause == found["dgamma"].cause == "bn_count_wrong"
    assert found["dbeta"].fine
    assert diagnose(backward, "batch_norm2d", layout="NC").healthy


def test_gamma_in_a_matrix_product():
    def backward(dout, x, gamma, beta, eps=1e-5):
        spread = np.sqrt(x.var(0) + eps)
        hat = (x - x.mean(0)) / spread
        d = np.dot(dout, gamma[:, None])
        return (d - d.mean(0) - hat * (d * hat).mean(0)) / spread, (dout * hat).sum(0), dout.sum(0)

    found = diagnose(backward, "batch_norm2d", layout="NC")
    assert found["dx"].cause == "bn_gamma_missing"
    assert "matrix product" in found["dx"].says


def test_an_input_gradient_that_comes_out_transposed():
    found = diagnose(lambda dy, x, w, b: (w @ dy.T, x.T @ dy, dy.sum(0)), "linear", weights="IO")
    assert found.cause == "axis_wrong"
    assert "transposed" in found["dx"].says


def test_the_steps_of_batch_normalisation_are_right():
    assert diagnose(normalised(), "batch_norm2d").healthy


# Formulas of an activation


def gated(x, beta=1.3):
    return x / (1 + np.exp(-beta * x))


def gated_without_beta(dy, x):
    y, gate = gated(x), 1 / (1 + np.exp(-1.3 * x))
    return dy * (y + gate * (1 - y))


def bent(x):
    return np.where(x > 0, x, 0.25 * np.expm1(x))


def bent_without_alpha(dy, x):
    return dy * np.where(x > 0, 1, np.exp(x) - 0.25)


def test_a_formula_that_is_not_in_the_catalogue_is_called_one():
    found = diagnose(gated_without_beta, None, gated)
    assert found.cause == "activation_derivative_formula_wrong"
    assert found["dx"].says.endswith("that function is not f′(x)")
    assert "wrong for x < 0 and right for x > 0" in diagnose(bent_without_alpha, None, bent)["dx"].says


def test_what_mixes_entries_or_bends_dy_is_no_formula_of_x():
    assert diagnose(lambda dy, x: dy * np.cos(x) * x.mean(), None, np.sin).cause is None
    assert diagnose(lambda dy, x: np.tanh(dy) * np.cos(2 * x), None, np.sin).cause is None


# Dropout


def test_a_mask_that_is_drawn_again_from_a_generator_of_its_own():
    def forward(x, p, rng):
        mask = rng.random(x.shape) >= p
        return x * mask / (1 - p), {"mask": mask, "p": p}

    def backward(dout, cache):
        return dout * (np.random.rand(*dout.shape) >= cache["p"]) / (1 - cache["p"])  # noqa: NPY002

    assert diagnose(backward, "dropout", forward).cause == "dropout_mask_resampled"


# Losses


def test_the_sum_of_squares_of_a_softmax():
    def backward(dy, z):
        p = softmax(z)
        return dy * (p - (p * p).sum(1, keepdims=True))

    assert diagnose(backward, "softmax").cause == "softmax_derivative_formula_wrong"


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def scores(rng):
    return rng.normal(size=(5, 4)), np.eye(4)[rng.integers(0, 4, 5)]


def test_the_jacobian_after_it_was_fused():
    def gradient(z, t):
        p = softmax(z)
        fused = (p - t) / len(t)
        return np.stack([fused[n] @ (np.diag(p[n]) - np.outer(p[n], p[n])) for n in range(len(t))])

    z, t = scores(np.random.default_rng(3))
    found = diagnose_loss(lambda z, t: -np.log(softmax(z)[t == 1]).mean(), gradient, z, t)
    assert found.cause == "extra_factor_in_delta"
    assert "Jacobian" in found["dz"].says


def test_the_terms_of_the_loss_in_place_of_its_derivative():
    rng = np.random.default_rng(4)
    p, t = softmax(rng.normal(size=(6, 3))), np.eye(3)[rng.integers(0, 3, 6)]
    found = diagnose_loss(lambda p, t: -(t * np.log(p)).sum(), lambda p, t: -t * np.log(p), p, t)
    assert found.cause == "returns_wrong_variable"


# Words


def test_an_arrow_is_no_comparison():
    labels = ("relu_mask_wrong_tensor", "missing_activation_derivative")
    assert preferred(labels, "dk = np.einsum('nfij,nc->fc', d, x) << 1") is None
    assert preferred(labels, "dz = dy * (dy > 0)") == "relu_mask_wrong_tensor"
    assert preferred(labels, "dz[y<=0] = 0") == "relu_mask_wrong_tensor"


# Skip connections


def block(after, depth):
    """A network with a block of layers whose input is added to its output, before the activation or after it."""

    def make(rng):
        params = {"w0": rng.normal(size=(3, 6)), "b0": 0.1 * rng.normal(size=6)}
        for k in range(1, depth + 1):
            params |= {f"w{k}": 0.4 * rng.normal(size=(6, 6)), f"b{k}": 0.1 * rng.normal(size=6)}
        params |= {"v": rng.normal(size=(6, 2)), "c": np.zeros(2)}
        return params, rng.normal(size=(9, 3)), rng.normal(size=(9, 2))

    def ahead(p, x):
        h = [np.tanh(x @ p["w0"] + p["b0"])]
        for k in range(1, depth + 1):
            z = h[-1] @ p[f"w{k}"] + p[f"b{k}"]
            last = k == depth
            h.append(z if last and after else np.tanh(z))
        total = h[-1] + h[0]
        return h, np.tanh(total) if after else total

    def loss(p, x, t):
        return ((ahead(p, x)[1] @ p["v"] + p["c"] - t) ** 2).sum() / 2

    def gradients(p, x, t, skip=True, through=True):
        h, top = ahead(p, x)
        d = top @ p["v"] + p["c"] - t
        g = {"v": top.T @ d, "c": d.sum(0)}
        d = d @ p["v"].T
        d = d * (1 - top**2) if after else d
        around = d
        for k in range(depth, 0, -1):
            dz = d if after and k == depth else d * (1 - h[k] ** 2)
            g |= {f"w{k}": h[k - 1].T @ dz, f"b{k}": dz.sum(0)}
            d = dz @ p[f"w{k}"].T
        d = (d if through else 0 * d) + (around if skip else 0)
        dz = d * (1 - h[0] ** 2)
        return g | {"w0": x.T @ dz, "b0": dz.sum(0)}

    return make, loss, gradients


BLOCKS = [(False, 1), (False, 2), (True, 1), (True, 2)]


@pytest.mark.parametrize(("after", "depth"), BLOCKS)
def test_skip_connections_are_recognised(after, depth):
    make, loss, gradients = block(after, depth)
    params, x, t = make(np.random.default_rng(depth))
    found = diagnose_network(loss, gradients, params, (x, t))
    assert found.healthy
    assert "→ add →" in " ".join(found.notes)


@pytest.mark.parametrize(("after", "depth"), BLOCKS)
@pytest.mark.parametrize(("path", "cause"), [("skip", "skip_connection_missing"), ("through", "dx_not_propagated")])
def test_a_path_that_is_left_out(after, depth, path, cause):
    make, loss, gradients = block(after, depth)
    params, x, t = make(np.random.default_rng(depth))
    found = diagnose_network(loss, lambda *a: gradients(*a, **{path: False}), params, (x, t))
    assert found.cause == cause, str(found)
    assert found["v"].fine
    assert not found["w0"].fine


def test_a_derivative_at_the_output_of_another_stage():
    make, loss, _ = block(False, 1)
    params, x, t = make(np.random.default_rng(5))

    def wrong(p, x, t):
        h0 = np.tanh(x @ p["w0"] + p["b0"])
        h1 = np.tanh(h0 @ p["w1"] + p["b1"]) + h0
        d2 = h1 @ p["v"] + p["c"] - t
        back = d2 @ p["v"].T
        d1 = back * (1 - h1**2)  # of the sum
        d0 = (d1 @ p["w1"].T + back) * (1 - h0**2)
        return {"v": h1.T @ d2, "c": d2.sum(0), "w1": h0.T @ d1, "b1": d1.sum(0), "w0": x.T @ d0, "b0": d0.sum(0)}

    found = diagnose_network(loss, wrong, params, (x, t))
    assert found.cause == "activation_derivative_of_wrong_tensor"
    assert "output of add" in found["w1"].says


def test_a_network_that_is_not_known_is_searched_from_its_end():
    params = {
        "w1": np.random.default_rng(6).normal(size=(3, 4)),
        "w2": np.random.default_rng(7).normal(size=(4, 2)),
    }
    x, t = np.random.default_rng(8).normal(size=(5, 3)), np.ones((5, 2))

    def loss(p, x, t):
        return ((np.sin(x @ p["w1"]) @ p["w2"] - t) ** 2).sum()

    def gradients(p, x, t):
        hidden = np.sin(x @ p["w1"])
        delta = 2 * (hidden @ p["w2"] - t)
        return {"w1": x.T @ (delta @ p["w2"].T * np.sin(x @ p["w1"] + 1)), "w2": hidden.T @ delta}

    found = diagnose_network(loss, gradients, params, (x, t))
    assert found.cause is None
    assert "w2 is right and all before it is wrong: look at what is passed back from there to w1" in found.notes


# Hidden activations and regularisers that are less common


def small(hidden, slope, penalty=None, claimed=None):
    """A network of two layers with a cross-entropy; ``slope`` and ``claimed`` are what its gradients say."""
    rng = np.random.default_rng(11)
    params = {
        "u": rng.normal(size=(4, 5)),
        "p": 0.2 * rng.normal(size=5),
        "v": rng.normal(size=(5, 3)),
        "q": np.zeros(3),
    }
    x, t = rng.normal(size=(7, 4)), np.eye(3)[rng.integers(0, 3, 7)]

    def loss(w, x, t):
        scores = hidden(x @ w["u"] + w["p"]) @ w["v"] + w["q"]
        extra = 0 if penalty is None else sum(penalty(name, a) for name, a in w.items())
        return -(t * np.log(softmax(scores))).sum() / len(x) + extra

    def gradients(w, x, t):
        z = x @ w["u"] + w["p"]
        d = (softmax(hidden(z) @ w["v"] + w["q"]) - t) / len(x)
        e = d @ w["v"].T * slope(z)
        found = {"u": x.T @ e, "p": e.sum(0), "v": hidden(z).T @ d, "q": d.sum(0)}
        return {name: a + (0 if claimed is None else claimed(name, w[name])) for name, a in found.items()}

    return diagnose_network(loss, gradients, params, (x, t))


def steep(z):
    return np.where(z > 0, z, 0.2 * z)


def gate(z):
    return z / (1 + np.exp(-z))


def gate_slope(z):
    s = 1 / (1 + np.exp(-z))
    return s * (1 + z * (1 - s))


@pytest.mark.parametrize(
    ("hidden", "slope", "kind"),
    [(steep, lambda z: np.where(z > 0, 1, 0.2), "leaky_relu"), (gate, gate_slope, "silu")],
)
def test_less_common_activations_are_recognised(hidden, slope, kind):
    found = small(hidden, slope)
    assert found.healthy
    assert kind in found.notes[0]
    wrong = small(hidden, np.ones_like)
    assert wrong.cause == "missing_activation_derivative"
    assert kind in wrong.notes[0]


def test_a_derivative_at_the_output_of_a_less_common_activation():
    assert small(gate, lambda z: gate_slope(gate(z))).cause == "activation_derivative_of_wrong_tensor"


def absolute(name, a):
    return 0.03 * np.abs(a).sum() if a.ndim == 2 else 0


@pytest.mark.parametrize(
    ("penalty", "claimed", "wrong"),
    [
        (absolute, lambda name, a: 0.03 * np.sign(a) if name == "u" else 0, ["v"]),
        (absolute, None, ["u", "v"]),
        (lambda name, a: 0.05 * (a**2).sum(), lambda name, a: 0.1 * a if a.ndim == 2 else 0, ["p", "q"]),
        (None, lambda name, a: 0.02 * np.sign(a) if name == "v" else 0, ["v"]),
    ],
)
def test_regularisers_that_are_less_common(penalty, claimed, wrong):
    found = small(np.tanh, lambda z: 1 - np.tanh(z) ** 2, penalty, claimed)
    named_so = [f.output for f in found if f.cause == "regulariser_gradient_wrong"]
    assert set(named_so) <= set(wrong), str(found)
    assert set(named_so) | {"q"} == set(wrong) | {"q"}, str(found)  # q is 0 where it is asked for first
    assert all(f.fine for f in found if f.output not in wrong)


@pytest.mark.parametrize(
    ("penalty", "claimed"),
    [
        (absolute, lambda name, a: 0.03 * np.sign(a) if a.ndim == 2 else 0),
        (lambda name, a: 0.05 * (a**2).sum(), lambda name, a: 0.1 * a),
    ],
)
def test_right_regularisers_are_right(penalty, claimed):
    assert small(np.tanh, lambda z: 1 - np.tanh(z) ** 2, penalty, claimed).healthy
