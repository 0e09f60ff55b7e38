"""The generated trainings: each faulty one really has its fault, each healthy one learns, and counting is right."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.training_faults import asking, trial  # noqa: E402
from benchmarks.training_faults.images import digits  # noqa: E402
from benchmarks.training_faults.registry import scenarios  # noqa: E402
from benchmarks.training_faults.scenario import HEALTHY, Functions, Own, Scenario  # noqa: E402

from benchmarks import machine, report, training  # noqa: E402

ALL = list(scenarios())
FAULTY, SOUND = ([s for s in ALL if s.faulty is wanted] for wanted in (True, False))
ONE_OF_EACH = training.chosen(FAULTY, [], 1)


class Told(list):
    """A diagnosis that names a cause."""

    def __init__(self, cause):
        super().__init__()
        self.cause = cause


def test_there_are_enough_of_each_sort():
    kinds = Counter(s.kind for s in FAULTY)
    assert len(kinds) >= 25
    assert min(kinds.values()) >= 6
    assert len({s.key for s in ALL}) == len(ALL)
    assert len(SOUND) >= 100
    models = sum(isinstance(s.make(), Own) for s in SOUND if not any(word in s.name for word in ("late", "cnn")))
    assert 0.35 < models / sum(not any(word in s.name for word in ("late", "cnn")) for s in SOUND) < 0.65


def test_every_kind_comes_in_several_variants_and_seeds():
    for kind in {s.kind for s in FAULTY}:
        of_kind = [s for s in FAULTY if s.kind == kind]
        assert len({(s.name, s.strength) for s in of_kind}) >= 2, kind
        assert len({s.seed for s in of_kind}) >= 2, kind


@pytest.mark.parametrize("scenario", ONE_OF_EACH, ids=lambda s: s.kind)
def test_a_fault_does_harm(scenario):
    verdict = trial.verify(scenario)
    assert verdict.honest, verdict
    if not scenario.definition:
        assert verdict.harm in ("fails", "learns less", "loss stays high")


@pytest.mark.parametrize("scenario", SOUND[::12], ids=lambda s: s.key)
def test_a_healthy_training_learns(scenario):
    assert trial.verify(scenario).honest


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ALL, ids=lambda s: s.key)
def test_every_scenario_is_what_it_says(scenario):
    assert trial.verify(scenario).honest


def test_a_fault_that_does_no_harm_is_not_honest():
    sound = SOUND[0]
    harmless = Scenario("sign_error", "nothing", "", 0, sound.make, sound.make)
    assert not trial.verify(harmless).honest
    hopeless = Scenario(HEALTHY, "nothing", "", 0, ONE_OF_EACH[0].make)
    assert not trial.verify(hopeless).honest


@pytest.mark.parametrize("scenario", [FAULTY[0], SOUND[0], SOUND[-1]], ids=lambda s: s.key)
def test_everything_is_made_anew(scenario):
    one, other = scenario.make(), scenario.make()
    for array in one.params.values():
        array[...] = 7
    assert not any((array == 7).all() for array in other.params.values())


def test_the_data_are_divided_by_the_seed():
    one, other = digits(0), digits(1)
    assert not np.array_equal(one.x[:20], other.x[:20])
    assert len(one.x) + len(one.test_x) == 1797
    batches = list(one.batches(500, 0, 5))
    assert [len(y) for _, y in batches] == [500] * 5
    assert not np.array_equal(batches[0][1], batches[2][1])


def test_what_is_asked_for_is_passed():
    setup = next(s for s in SOUND if s.name == "mlp, Adam").make()
    assert isinstance(setup, Functions)
    _, named = asking.arguments(setup, {"batches", "optimizer", "momentum"})
    assert named["optimizer"] == "adam"
    assert "momentum" not in named
    assert len(named["batches"]) == len(setup.batches)
    assert set(asking.arguments(setup, set())[1]) == {
        "loss",
        "gradients",
        "params",
        "learning_rate",
        "batch",
        "step",
    }
    own = next(s for s in SOUND if s.name.startswith("model mlp, clipped")).make()
    (model, params, data), named = asking.arguments(own, {"clip", "batch_size"})
    assert model is own.model
    assert params is own.params
    assert len(data) == 2
    assert set(named) == {"optimizer", "loss", "clip", "batch_size"}


def test_scenarios_of_a_kind_are_spread_over_its_variants():
    taken = training.chosen(ALL, ["sign_error", HEALTHY], 5)
    assert Counter(s.kind for s in taken) == {"sign_error": 5, HEALTHY: 5}
    assert len({s.name for s in taken}) >= 8
    assert Counter(s.key for s in training.chosen(ALL, [], None)) == Counter(s.key for s in ALL)
    with pytest.raises(ValueError, match="nix"):
        training.chosen(ALL, ["nix"], None)


def test_what_was_said_is_counted(monkeypatch, capsys):
    sign, scale = (next(s for s in FAULTY if s.kind == kind) for kind in ("sign_error", "batch_scale_wrong"))
    also = next(s for s in FAULTY if s.kind == "gradient_wrong")
    answers = iter(["sign_error", None, also.also[0], HEALTHY, "sign_error"])

    def diagnose(**given):
        return Told(next(answers))

    monkeypatch.setattr(training, "diagnose_training", lambda: diagnose)
    shown = report.Report("training", machine.describe(1), None)
    training.measure([sign, scale, also, SOUND[0], SOUND[1]], shown)
    summary = shown.content["summary"]
    assert (summary["faulty"], summary["right"], summary["kinds"]) == (3, 2, 3)
    assert summary["mean_over_kinds"] == pytest.approx(2 / 3)
    assert (summary["healthy"], summary["false_alarms"]) == (2, 1)
    assert shown.content["confusion"][HEALTHY] == {HEALTHY: 1, "sign_error": 1}
    assert shown.content["confusion"]["batch_scale_wrong"] == {"": 1}
    assert [result["outcome"] for result in shown.content["results"]] == [
        "right",
        "abstained",
        "right by also",
        "right",
        "false alarm",
    ]
    assert "sign_error 1" in capsys.readouterr().out


def test_an_error_of_the_diagnosis_is_an_answer_too():
    def diagnose(**given):
        raise KeyError("oops")

    judged = training.judge(diagnose, SOUND[0])
    assert judged.outcome == "failed"
    assert "oops" in judged.says
    assert training.summarise([judged])["false_alarms"] == 1
