"""Planted faults: each is called by its name, with an experiment."""

import math

import numpy as np
import pytest

from tests.diagnosis.training.networks import (
    Net,
    T,
    X,
    adam,
    batch_of,
    softmax,
    training,
    with_gradients,
    with_step,
)
from whygrad import diagnose_training


def changed(x=lambda x: x, t=lambda t: t, n=64, **more):
    images, labels = batch_of(n)
    return training(batch=(x(images), t(labels)), **more)


def with_nan():
    x, t = batch_of()
    x[3, 5] = np.nan
    return training(batch=(x, t))


def started(change, **options):
    net = Net(**options)
    return training(net, params={name: change(name, a) for name, a in net.params.items()})


def added_up():
    net, kept = Net(), {}

    def gradients(p, batch):
        for name, g in net.gradients(p, batch).items():
            kept[name] = kept.get(name, 0) + g
        return dict(kept)

    return training(net, gradients=gradients)


def of_the_call_before():
    net, kept = Net(), {}

    def gradients(p, batch):
        before = kept.get("g")
        kept["g"] = net.gradients(p, batch)
        return before or kept["g"]

    return training(net, gradients=gradients)


def of_the_first_batch():
    net, kept = Net(), {}
    return training(net, gradients=lambda p, batch: net.gradients(p, kept.setdefault("batch", batch)))


def step_before():
    kept = {}

    def update(p, g):
        before = kept.get("g", g)
        kept["g"] = g
        return {name: p[name] - 0.1 * before[name] for name in p}

    return with_step(update)


def w2_first(rate=0.5):
    net = Net(act="tanh")

    def step(p, batch):
        x, t = batch
        a = np.tanh(x @ p["w1"] + p["b1"])
        d = softmax(a @ p["w2"] + p["b2"])
        d[np.arange(len(x)), t] -= 1
        d /= len(x)
        p["w2"] -= rate * a.T @ d
        p["b2"] -= rate * d.sum(0)
        d = d @ p["w2"].T * (1 - a * a)
        p["w1"] -= rate * x.T @ d
        p["b1"] -= rate * d.sum(0)

    return training(net, rate, step=step)


def middle_first():
    """Three layers, of which the middle one is updated before the first gets its gradient."""
    net = Net((64, 32, 24, 10))

    def step(p, batch):
        g = net.gradients(p, batch)
        changed = p | {name: p[name] - 2.0 * g[name] for name in ("w3", "b3", "w2", "b2")}
        before, after = net.forward(p, batch[0])
        d = softmax(before[-1])
        d[np.arange(len(d)), batch[1]] -= 1
        d = d / len(d) @ changed["w3"].T * net.slope(before[1], after[2])
        d = d @ changed["w2"].T * net.slope(before[0], after[1])
        return changed | {"w1": p["w1"] - 2.0 * batch[0].T @ d, "b1": p["b1"] - 2.0 * d.sum(0)}

    return training(net, 2.0, step=step)


def rate_twice(beta=0.0, rate=0.05):
    net, kept = Net(), {}

    def step(p, batch):
        for name, g in net.gradients(p, batch).items():
            kept[name] = beta * kept.get(name, 0.0) + rate * g
            p[name] = p[name] - rate * kept[name]
        return p

    return training(net, rate, step=step)


def another_penalty(in_loss, in_gradient):
    return training(Net(reg=in_loss), gradients=Net(reg=in_gradient).gradients)


def no_slope():
    net = Net(act="tanh")
    net.slope = lambda z, a: 1.0
    return training(Net(act="tanh"), gradients=net.gradients)


def undivided():
    """Averages of pairs of hidden units, whose gradient is handed on whole."""
    net, last = Net((64, 32), "tanh"), Net((16, 10), seed=1)

    def halves(p):
        return {n: p[n] for n in ("w1", "b1")}, {"w1": p["w2"], "b1": p["b2"]}

    def hidden(p, x):
        a = np.tanh(net.predict(p, x))
        return a, 0.5 * (a[:, ::2] + a[:, 1::2])

    def loss(p, batch):
        first, second = halves(p)
        return last.loss(second, (hidden(first, batch[0])[1], batch[1]))

    def gradients(p, batch):
        x, t = batch
        first, second = halves(p)
        a, pooled = hidden(first, x)
        d = softmax(last.predict(second, pooled))
        d[np.arange(len(x)), t] -= 1
        d /= len(x)
        dz = np.repeat(d @ second["w1"].T, 2, axis=1) * (1 - a * a)
        return {"w1": x.T @ dz, "b1": dz.sum(0), "w2": pooled.T @ d, "b2": d.sum(0)}

    params = net.params | {"w2": last.params["w1"], "b2": last.params["b1"]}
    return training(net, loss=loss, gradients=gradients, params=params)


def softmax_twice():
    net = Net()

    def loss(p, batch):
        return float(-np.log(softmax(softmax(net.predict(p, batch[0])))[np.arange(len(batch[0])), batch[1]]).mean())

    def gradients(p, batch):
        x, t = batch
        q = softmax(net.predict(p, x))
        r = softmax(q)
        r[np.arange(len(x)), t] -= 1
        r /= len(x)
        return net.gradients(p, batch, q * (r - (r * q).sum(1, keepdims=True)))

    return training(net, loss=loss, gradients=gradients)


def overflowing():
    net = Net()

    def loss(p, batch):
        z = 4000 * net.predict(p, batch[0])
        e = np.exp(z)
        q = e / e.sum(1, keepdims=True)
        return float(-np.log(q[np.arange(len(z)), batch[1]]).mean())

    return training(net, loss=loss)


def log_of_zero():
    net = Net()

    def loss(p, batch):
        q = softmax(400 * net.predict(p, batch[0]))
        return float(-np.log(q)[np.arange(len(q)), batch[1]].mean())

    return training(net, loss=loss)


def zero_divided():
    net = Net()

    def loss(p, batch):
        x, t = batch
        scaled = (x - x.mean(0)) / x.std(0)
        return net.loss(p, (scaled, t))

    return training(net, loss=loss)


def log_of_zero_in_plain_python():
    net = Net()

    def loss(p, batch):
        total = 0.0
        for z, k in zip(4000 * net.predict(p, batch[0]), batch[1], strict=True):
            e = [math.exp(v - max(z)) for v in z]
            total -= math.log(e[k] / sum(e))
        return total / len(batch[0])

    return training(net, loss=loss)


def log_of_sum_of_exps():
    net = Net(dtype=np.float32)
    x, t = batch_of()

    def loss(p, batch):
        z = np.float32(60) * net.predict(p, batch[0])
        return float((np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), batch[1]]).mean())

    return training(net, loss=loss, batch=(x.astype(np.float32), t))


def log_of_zero_elsewhere():
    """The first batch's loss is finite, and that of the third is not."""
    net = Net()
    sizes = np.where(np.arange(640) // 64 == 2, 400.0, 1.0)

    def loss(p, batch):
        x, t, size = batch
        q = softmax(size[:, None] * net.predict(p, x))
        return float(-np.log(q)[np.arange(len(q)), t].mean())

    batches = [(X[i : i + 64], T[i : i + 64], sizes[i : i + 64]) for i in range(0, 640, 64)]
    given = training(net, loss=loss, gradients=lambda p, b: net.gradients(p, b[:2]), batches=batches)
    return given | {"batch": batches[0]}


def rounded(to, net=None, rate=0.02):
    """Parameters that a step keeps with few digits."""
    net = net or Net((64, 48, 32, 10), "tanh")
    return training(
        net, rate, step=lambda p, batch: {n: to(p[n] - rate * g) for n, g in net.gradients(p, batch).items()}
    )


def seen_as(change, x=lambda x: x):
    """Samples that are changed within the functions."""
    net, (images, labels) = Net(), batch_of()
    return training(
        net,
        loss=lambda p, b: net.loss(p, (change(b[0]), b[1])),
        gradients=lambda p, b: net.gradients(p, (change(b[0]), b[1])),
        batch=(x(images), labels),
    )


def binary(w, digits=8):
    mantissa, exponent = np.frexp(w)
    return np.ldexp(np.round(mantissa * 2**digits) / 2**digits, exponent)


def in_half(rate):
    x, t = batch_of()
    return training(Net(dtype=np.float16), rate, batch=(x.astype(np.float16), t))


def clipped(p, g):
    length = np.sqrt(sum((a**2).sum() for a in g.values()))
    return {name: p[name] - 0.1 * min(1, 1e-3 / length) * g[name] for name in p}


def truncated(p, g):
    rate = int(0.1)
    return {name: p[name] - rate * g[name] for name in p}


def some(p, g):
    return p | {name: p[name] - 0.1 * g[name] for name in ("w2", "b2")}


def sorted_batches():
    order = np.argsort(T, kind="stable")
    return training(batches=[(X[order[i : i + 64]], T[order[i : i + 64]]) for i in range(0, 1700, 64)])


def saturated():
    net, rng = Net((64, 32, 32, 10), "tanh"), np.random.default_rng(0)
    return training(net, params=net.params | {b: rng.choice([-1.0, 1.0], 32) * 12 for b in ("b1", "b2")})


def mixed_labels():
    net = Net()

    def head(p, x):
        return softmax(net.predict(p, x))

    def loss(p, batch):
        return float(-np.log(head(p, batch[0])[:, batch[1]]).mean())

    def gradients(p, batch):
        x, t = batch
        share = np.bincount(t, minlength=10) / len(t)
        return net.gradients(p, batch, (head(p, x) - share) / len(x))

    return training(net, loss=loss, gradients=gradients)


FAULTS = {
    "data_not_finite": with_nan,
    "input_not_normalised": lambda: changed(x=lambda x: 255 * x),
    "labels_out_of_range": lambda: changed(t=lambda t: t + 1),
    "labels_one_hot": lambda: changed(t=lambda t: np.eye(10)[t]),
    "lengths_mismatched": lambda: changed(t=lambda t: t[:-3]),
    "one_class_only": lambda: changed(t=lambda t: 0 * t + 3),
    "constant_features": lambda: changed(x=lambda x: np.repeat(x[:1], len(x), 0)),
    "labels_unrelated": lambda: training(data=(X, np.random.default_rng(0).permutation(T))),
    "order_not_shuffled": sorted_batches,
    "zero_initialisation": lambda: started(lambda name, a: 0 * a),
    "symmetric_initialisation": lambda: started(lambda name, a: 0 * a + 0.1 * name.startswith("w"), act="tanh"),
    "init_scale_wrong, large": lambda: training(Net((64, 32, 32, 10), scale=10.0)),
    "init_scale_wrong, small": lambda: training(Net((64, 32, 32, 10), scale=0.01)),
    "dead_units": lambda: started(lambda name, a: a - 10 * (name == "b1")),
    "softmax_applied_twice": softmax_twice,
    "loss_formula_wrong, sign": lambda: training(
        loss=lambda p, b: -Net().loss(p, b),
        gradients=lambda p, b: {n: -g for n, g in Net().gradients(p, b).items()},
    ),
    "loss_formula_wrong, p[:, t]": mixed_labels,
    "sign_error": lambda: with_gradients(lambda g, p, b: {n: -a for n, a in g.items()}),
    "sign_error, one parameter": lambda: with_gradients(lambda g, p, b: g | {"w1": -g["w1"]}),
    "sign_error, in the step": lambda: with_step(lambda p, g: {n: p[n] + 0.1 * g[n] for n in p}),
    "sign_error, in a step alone": lambda: (
        with_step(lambda p, g: {n: p[n] + 0.1 * g[n] for n in p}) | {"gradients": None}
    ),
    "batch_scale_wrong, a sum": lambda: with_gradients(lambda g, p, b: {n: len(b[0]) * a for n, a in g.items()}),
    "batch_scale_wrong, a mean of a mean": lambda: with_gradients(
        lambda g, p, b: {n: a / len(b[0]) for n, a in g.items()}
    ),
    "layer_not_trained, gradients": lambda: with_gradients(
        lambda g, p, b: g | {"w1": 0 * g["w1"], "b1": 0 * g["b1"]}
    ),
    "layer_not_trained, step": lambda: with_step(some),
    "missing_bias_gradient": lambda: with_gradients(lambda g, p, b: g | {"b1": 0 * g["b1"], "b2": 0 * g["b2"]}),
    "gradients_not_zeroed": added_up,
    "stale_gradient, call": of_the_call_before,
    "stale_gradient, batch": of_the_first_batch,
    "stale_gradient, step": step_before,
    "weights_updated_before_dx": w2_first,
    "weights_updated_before_dx, by a large step": lambda: w2_first(4.0),
    "weights_updated_before_dx, three layers": middle_first,
    "regulariser_gradient_wrong, missing": lambda: another_penalty(0.01, 0.0),
    "regulariser_gradient_wrong, twice": lambda: another_penalty(0.01, 0.02),
    "missing_activation_derivative": no_slope,
    "gradient_wrong, a factor between layers": undivided,
    "learning_rate_too_high": lambda: training(learning_rate=20.0),
    "learning_rate_too_high, tanh": lambda: training(Net(act="tanh"), 30.0),
    "learning_rate_too_low": lambda: training(learning_rate=1e-5),
    "momentum_too_high": lambda: training(learning_rate=0.1, momentum=0.9999, data=(X, T)),
    "vanishing_gradient": lambda: training(Net((64, *[32] * 8, 10), "sigmoid")),
    "saturated_units": saturated,
    "log_of_zero": log_of_zero,
    "log_of_zero, in plain Python": log_of_zero_in_plain_python,
    "softmax_overflow, log of a sum": log_of_sum_of_exps,
    "log_of_zero, in another batch": log_of_zero_elsewhere,
    "softmax_overflow": overflowing,
    "division_by_zero": zero_divided,
    "float32_precision, binary digits": lambda: rounded(binary),
    "float32_precision, decimals": lambda: rounded(lambda w: np.round(w, 3), Net(), 0.01),
    "float32_precision, no update is left": lambda: rounded(lambda w: np.round(w, 2), Net(), 0.01),
    "float32_precision, float16": lambda: in_half(0.001),
    "integer_truncation, samples cast": lambda: seen_as(lambda x: x.astype(np.uint8)),
    "integer_truncation, bytes divided": lambda: seen_as(
        lambda x: (x // 255).astype(float), lambda x: (255 * x).astype(np.uint8)
    ),
    "integer_truncation, bytes that wrap around": lambda: seen_as(
        lambda x: (x - np.uint8(128)) / 128, lambda x: (255 * x).astype(np.uint8)
    ),
    "integer_truncation, a rate of 0": lambda: training(learning_rate=int(0.1)),
    "learning_rate_too_low, 0": lambda: training(learning_rate=0.0),
    "learning_rate_too_low, 0 in a step": lambda: with_step(
        lambda p, g: {n: p[n] - 0.0 * g[n] for n in p}, None, 0.0
    ),
    "integer_truncation, after standardising": lambda: seen_as(
        lambda x: x.astype(int).astype(float), lambda x: (x - x.mean()) / x.std()
    ),
    "integer_truncation": lambda: with_step(truncated),
    "optimizer_formula_wrong, corrections": lambda: training(Net(), 1e-3, step=adam(Net(), correct=False)),
    "optimizer_formula_wrong, t": lambda: training(Net(), 1e-3, step=adam(Net(), per_parameter=True)),
    "optimizer_formula_wrong, rate twice": rate_twice,
    "optimizer_formula_wrong, rate twice with momentum": lambda: rate_twice(0.9),
    "train_eval_mismatch": lambda: training(learning_rate=0.3, predict=lambda p, x: Net().predict(p, -x)),
    "clipping_always": lambda: with_step(clipped),
    "regularisation_too_strong": lambda: training(Net(reg=1.0)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_named(name):
    told = diagnose_training(**FAULTS[name](), seconds=60)
    assert told.cause == name.split(",")[0], str(told)
    assert not told.healthy
    assert told.faults[0].says


def test_three_divergences_have_three_answers():
    x, t = batch_of(32)
    given = {"batch": (x, t), "seconds": 60}
    too_high = diagnose_training(**training(learning_rate=13.0) | given)
    uphill = diagnose_training(**with_gradients(lambda g, p, b: {n: -a for n, a in g.items()}) | given)
    summed = diagnose_training(
        **with_gradients(lambda g, p, b: {n: len(b[0]) * a for n, a in g.items()}, learning_rate=0.5) | given
    )
    assert (too_high.cause, uphill.cause, summed.cause) == (
        "learning_rate_too_high",
        "sign_error",
        "batch_scale_wrong",
    )
    assert too_high.faults[0].evidence["multiple"] > 5
    assert "N = 32" in summed.faults[0].says


def test_a_remedy_is_named_only_with_its_run():
    told = diagnose_training(**training(learning_rate=20.0), seconds=60)
    finding = told.faults[0]
    assert "as given" in finding.experiment
    assert "learning rate" in finding.experiment
    rate = finding.fix.split(": ")[1].split()[0]
    cure = next(t for t in told.trials if rate in t.what)
    assert cure.finite
    assert cure.last < 0.5 * cure.first


def test_the_line_and_the_sample_of_the_first_nan():
    told = diagnose_training(**log_of_zero(), seconds=60)
    finding = told["numbers"]
    assert "np.log(q)" in finding.says
    assert "test_faults.py" in finding.says
    assert "sample" in finding.says


def test_thorough_goes_on():
    both = with_gradients(
        lambda g, p, b: {n: -a for n, a in g.items()}, batch=(255 * batch_of()[0], batch_of()[1] * 0 + 1)
    )
    short, long = (diagnose_training(**both, thorough=thorough, seconds=60) for thorough in (False, True))
    assert short.cause == long.cause == "one_class_only"
    assert "sign_error" in [f.cause for f in long.faults]
    assert "sign_error" not in [f.cause for f in short.faults]


def test_it_comes_back_as_it_was_written_down():
    from whygrad.diagnosis.training import TrainingDiagnosis

    told = diagnose_training(**training(learning_rate=20.0), seconds=60)
    again = TrainingDiagnosis.from_dict(told.to_dict())
    assert str(again) == str(told)
    assert again.cause == told.cause
