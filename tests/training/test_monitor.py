import dataclasses
import itertools
import json

import numpy as np
import pytest

from tests.training import toy
from tests.training.test_run import contents, trained
from whygrad.errors import LostError, NonFiniteError, OptionError
from whygrad.layers import Flatten, Linear, ReLU, Sequential
from whygrad.losses import cross_entropy
from whygrad.optim import SGD, Adam
from whygrad.training import Monitor, Probe, Recipe, Run, fit, load_checkpoint, read_metrics
from whygrad.training.monitor import next_batch

RECIPE = Recipe(epochs=4, batch_size=128, seed=3)
WILD = dataclasses.replace(RECIPE, learning_rate=300.0, schedule="constant", epochs=20)
SIGNALS = {"watched_loss", "gradient_norm/fc1.weight", "dead/relu1", "update_ratio/conv1.weight", "smoothed_loss"}


def watched(path, recipe=RECIPE, stop_after=None):
    """Train with a monitor, up to a step if one is given; return the run and the error that ended it."""
    run = Run(path) if path.exists() else Run.create(recipe, path, watch=True)
    experiment = run.experiment()
    steps = run.steps(experiment, run.monitor(experiment))
    error = None
    try:
        for _ in itertools.islice(steps, stop_after):
            pass
    except LostError as lost:
        error = lost
    steps.close()
    return run, error


def perceptron():
    model = Sequential(
        flatten=Flatten(), fc1=Linear(64, 16), relu1=ReLU(), fc2=Linear(16, 10), input_shape=(1, 8, 8)
    )
    return model, model.init(np.random.default_rng(0))


def read(model, params, optimizer, every=2, images=None, loss=cross_entropy, **options):
    """Train a model under a monitor until it is lost or at its end."""
    x, t = toy.data()
    x = x if images is None else images
    monitor = Monitor(model, x, t, loss=loss, batch_size=16, every=every)
    monitor.begin(params)
    chosen = {"epochs": 20, "batch_size": 16, "rng": np.random.default_rng(0)} | options
    shown = []
    try:
        for step in fit(model, params, x, t, optimizer=optimizer, loss=loss, **chosen):
            shown.append(monitor.update(step))
            if monitor.lost:
                break
    except NonFiniteError:
        monitor.failed()
    return monitor, shown


def test_a_watched_run_trains_bit_for_bit_as_one_that_is_not(tmp_path):
    alone = trained(tmp_path / "alone", RECIPE)
    run, error = watched(tmp_path / "watched")
    assert error is None
    run.finish(run.experiment(), 1.0)
    assert (alone.path / "model.safetensors").read_bytes() == (run.path / "model.safetensors").read_bytes()
    plain, more = (read_metrics(r.path / "metrics.jsonl") for r in (alone, run))
    assert [{name: record[name] for name in before} for before, record in zip(plain, more, strict=True)] == plain


def test_signals_stand_in_the_metrics(tmp_path):
    run, _ = watched(tmp_path / "run")
    records = read_metrics(run.path / "metrics.jsonl")
    every = run.monitor(run.experiment()).every
    looks = [record for record in records if "watched_loss" in record]
    assert [record["step"] for record in looks] == [s for s in range(1, len(records) + 1) if s % every == 0]
    assert all(set(record) >= SIGNALS for record in looks)
    assert 1e-4 < looks[0]["update_ratio/conv1.weight"] < 1
    assert "NaN" not in (run.path / "metrics.jsonl").read_text()


def test_runs_without_a_monitor_know_nothing_of_it(tmp_path):
    run = trained(tmp_path / "run")
    assert "watch" not in run.config
    assert not run.watched
    assert set(read_metrics(run.path / "metrics.jsonl")[0]) == {"step", "epoch", "loss", "learning_rate"}


@pytest.mark.parametrize("stop", [1, 20, 22, 23, 30])
def test_a_watched_run_that_was_interrupted_ends_like_one_that_was_not(tmp_path, stop):
    whole, _ = watched(tmp_path / "whole")
    watched(tmp_path / "stopped", stop_after=stop)
    resumed, _ = watched(tmp_path / "stopped")
    ended, wanted = contents(resumed.path), contents(whole.path)
    for name in set(ended) ^ set(wanted):
        assert name.startswith("checkpoints/step-")
    assert all(ended[name] == wanted[name] for name in set(ended) & set(wanted))


def test_a_run_that_diverges_is_stopped_with_the_reason(tmp_path):
    run, error = watched(tmp_path / "run", WILD)
    assert "training, step " in str(error)
    assert "at the learning rate 300" in str(error) or "not finite" in str(error)
    stopped = run.stopped
    assert stopped["reason"] in str(error)
    assert stopped["restored_step"] == 0
    assert list((run.path / "checkpoints").iterdir()) == []
    assert stopped["step"] == read_metrics(run.path / "metrics.jsonl")[-1]["step"]


def spoilt_after(step, monkeypatch):
    """Let updates be a thousand times too long from a step on."""
    right = SGD.rate
    monkeypatch.setattr(SGD, "rate", lambda self, at: right(self, at) * (1e5 if at >= step else 1.0))


def test_the_last_good_checkpoint_is_restored_and_goes_on(tmp_path, monkeypatch):
    recipe = dataclasses.replace(RECIPE, epochs=6)
    with monkeypatch.context() as patch:
        spoilt_after(40, patch)
        run, error = watched(tmp_path / "run", recipe)
    stopped = run.stopped
    assert error is not None
    assert 0 < stopped["restored_step"] <= 40 < stopped["step"]
    experiment = run.experiment()
    last = sorted((run.path / "checkpoints").iterdir())[-1]
    assert last.name == f"step-{stopped['restored_step']:08d}"
    state = load_checkpoint(last, experiment.optimizer)
    assert all(np.isfinite(array).all() for array in state.params.values())
    # What went wrong does not come again: the run goes on as if it had never been.
    resumed, error = watched(tmp_path / "run")
    assert error is None
    assert resumed.stopped is None
    whole, _ = watched(tmp_path / "whole", recipe)
    for name in ("metrics.jsonl", "checkpoints/step-00000072/arrays.safetensors"):
        assert (resumed.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_the_first_number_that_is_not_finite_is_named():
    model, params = perceptron()
    monitor, _ = read(model, params, SGD(1e25))
    assert monitor.lost.step <= 4
    assert "fc" in monitor.lost.reason
    assert "not finite" in monitor.lost.reason
    assert "from finite" in monitor.lost.reason


def test_the_batch_that_failed_is_found_again():
    model, params = perceptron()
    x, t = toy.data()
    for epoch, batch in ((0, 3), (1, 2)):
        rng = np.random.default_rng(0)
        seen = []

        def loss(y, t, seen=seen):
            seen.append(t)
            return cross_entropy(y, t)

        for step in fit(model, params, x, t, optimizer=SGD(0.1), rng=rng, loss=loss, epochs=3, batch_size=16):
            if (step.state.epoch, step.state.batch) == (epoch, batch):
                foreseen = t[next_batch(step.state, len(x), 16)]
            if len(seen) == 5 * epoch + batch + 1:
                break
        assert np.array_equal(seen[-1], foreseen)


def test_a_layer_that_dies_ends_the_run():
    model, params = perceptron()
    params["fc1.bias"][:] = -100
    monitor, _ = read(model, params, SGD(0.1))
    assert monitor.lost.step == 6
    assert "every unit of relu1 is dead" in monitor.lost.reason
    assert monitor.lost.good is None


def test_gradients_that_are_not_finite_end_the_run_before_the_loss_does(monkeypatch):
    model, params = perceptron()
    right = Probe.look

    def overflowed(self, params):
        signals = right(self, params)
        return signals._replace(gradient_norms=signals.gradient_norms | {"fc1.weight": np.inf})

    monkeypatch.setattr(Probe, "look", overflowed)
    monitor, shown = read(model, params, SGD(0.1), every=3)
    assert monitor.lost.step == 3
    assert monitor.lost.reason == "gradients that are not finite"
    assert shown[-1]["gradient_norm/fc1.weight"] is None


@pytest.mark.parametrize(
    ("optimizer", "seed"),
    [(SGD(0.1, momentum=0.9), 0), (SGD(0.5), 1), (Adam(3e-3), 2), (Adam(3e-2), 3), (SGD(1e-4), 4), (SGD(0.0), 5)],
)
def test_trainings_that_go_well_or_slowly_are_left_alone(optimizer, seed):
    model, _ = perceptron()
    params = model.init(np.random.default_rng(seed))
    monitor, shown = read(model, params, optimizer, epochs=60)
    assert monitor.lost is None
    assert len(shown) == 300


def test_a_loss_of_nearly_nothing_is_no_reason():
    """Late in training gradients may be exactly 0, since there is nothing left to learn."""
    model, params = perceptron()
    x, t = toy.data()
    for step in fit(
        model, params, x, t, optimizer=Adam(0.01), rng=np.random.default_rng(0), epochs=99, batch_size=16
    ):
        params = step.params
    params = {name: array * np.float32(50 if "fc2" in name else 1) for name, array in params.items()}
    assert cross_entropy(model(params, x)[0], t)[0] == 0
    monitor, _ = read(model, params, SGD(1e-6))
    assert monitor.lost is None


def test_single_samples_are_looked_at_as_rarely():
    model, _ = perceptron()
    x, t = np.zeros((100, 1, 8, 8), np.float32), np.zeros(100, int)
    assert [Monitor(model, x, t, batch_size=size).every for size in (1, 32, 64, 4096)] == [2880, 90, 45, 1]


@pytest.mark.parametrize("option", [{"batch_size": 0}, {"every": 0}, {"every": 1.5}])
def test_options_outside_their_domain_are_refused(option):
    model, _ = perceptron()
    with pytest.raises(OptionError, match="Monitor: expected"):
        Monitor(model, *toy.data(), **option)


def test_signals_can_be_read_as_json(tmp_path):
    run, _ = watched(tmp_path / "run", WILD)
    for line in (run.path / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


def test_a_stopped_run_goes_on_from_its_good_checkpoint_with_another_rate(tmp_path, monkeypatch):
    recipe = dataclasses.replace(RECIPE, epochs=6, schedule="constant", learning_rate=0.02)
    with monkeypatch.context() as patch:
        spoilt_after(40, patch)
        run, _ = watched(tmp_path / "run", recipe)
    restored = run.stopped["restored_step"]
    Run(run.path).amend(0.005)
    resumed, error = watched(run.path)
    assert error is None
    rates = [record["learning_rate"] for record in read_metrics(run.path / "metrics.jsonl")]
    assert rates == [0.02] * restored + [0.005] * (len(rates) - restored)
    resumed.finish(resumed.experiment(), 1.0)
    with pytest.raises(OptionError, match="for a run that was stopped"):
        Run(run.path).amend(0.001)
