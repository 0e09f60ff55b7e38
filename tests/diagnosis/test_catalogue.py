"""Every mistake of the catalogue is named when it is planted into right code, alone and with a second one."""

import zlib

import numpy as np
import pytest

from tests.diagnosis.planting import ENTRIES, FORWARDS, SUBJECTS, forward_of, named, planted, signature, spoils
from whygrad.diagnosis import diagnose
from whygrad.diagnosis.catalogue import CHAINED, predict
from whygrad.diagnosis.differences import differences
from whygrad.diagnosis.registry import ALIASES
from whygrad.ops.registry import OPERATIONS

#: What is declared, since code that is wrong in one layout may be right in another.
WEIGHTS = {"linear": "OI"}
NAMES = list(SUBJECTS)


def layout_of(name):
    return "NCHW" if name.endswith("2d") else None


def said_of(name, wrong, seed):
    target = SUBJECTS[name]
    function = signature(target, planted(target, wrong))
    return diagnose(function, name, layout=layout_of(name), weights=WEIGHTS.get(name), seed=seed)


@pytest.mark.parametrize("name", NAMES)
def test_the_references_are_right(name):
    target = SUBJECTS[name]
    for probe in sorted(target.probes(target, np.random.default_rng(3), {}), key=lambda p: p.dy.size)[:2]:
        for output, wrt in zip(target.build, target.inputs, strict=True):

            def value(a, wrt=wrt, probe=probe):
                return float((target.value(probe.changed(**{wrt: a}), {}) * probe.dy).sum())

            np.testing.assert_allclose(probe.right[output], differences(value, probe[wrt]), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_there_are_mistakes_about_every_output(name):
    target = SUBJECTS[name]
    for output in target.build:
        assert len(target.of(output)) >= 5
    for m in target.mistakes:
        assert m.does
        assert m.why, f"{m.label} has no lesson"
        assert not set(m.outputs) - {*target.build, "y"}


def _missed(name, seeds):
    missed, count = [], 0
    target = SUBJECTS[name]
    for other, m, output in ENTRIES:
        if other != name:
            continue
        for k in range(seeds):
            seed = zlib.crc32(f"{m.label}{m.does}{output}{k}".encode()) % 10_000
            if not spoils(target, output, (m,), seed):
                continue
            count += 1
            found = said_of(name, {output: (m,)}, seed)
            others = [f.output for f in found if not f.fine and f.output != output]
            if others or not (named(found, m.label) or set(m.also) & {found.cause}):
                missed.append(
                    f"{output}: {m.label} ({m.does}), seed {seed}: told {found.cause} {found.also} {others}"
                )
    return missed, count


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_mistake_is_named(name):
    missed, count = _missed(name, 1)
    assert count >= 10
    assert len(missed) <= 0.02 * count, "\n".join(missed)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_planted_mistakes_are_named_at_many_configurations(name):
    missed, count = _missed(name, 20)
    assert len(missed) <= 0.02 * count, "\n".join(missed)


def _pairs(name, count, seed):
    """Yield two mistakes of one output that can be made at once, and a seed.

    Together they do what no single mistake does: where one does, nobody can tell.
    """
    rng, target = np.random.default_rng(seed), SUBJECTS[name]
    tries = 0
    while count and tries < 500:
        tries += 1
        output = list(target.build)[rng.integers(len(target.build))]
        mistakes = target.of(output)
        a, b = (mistakes[i] for i in rng.choice(len(mistakes), 2, replace=False))
        if a.joint == b.joint and a.joint not in CHAINED:
            continue
        probes = target.probes(target, np.random.default_rng(tries), {})
        if all(_differ(probes, output, (a, b), fewer) for fewer in ((), *((m,) for m in mistakes))):
            count -= 1
            yield output, (a, b), tries


def _differ(probes, output, wrong, other):
    """Whether two sets of mistakes give different numbers, up to a factor, where both can be computed."""
    for probe in probes:
        x, y = predict(probe, output, wrong), predict(probe, output, other)
        if x is None or not np.isfinite(x).all():
            continue
        if y is None or x.shape != y.shape or not np.isfinite(y).all():
            return True
        c = float(x.ravel() @ y.ravel()) / max(float(y.ravel() @ y.ravel()), 1e-300)
        if not np.allclose(x, c * y, rtol=1e-4, atol=1e-7 * max(1.0, float(np.abs(x).max(initial=0)))):
            return True
    return False


def _missed_pairs(name, count, seed=0):
    missed, tried, accused = [], 0, []
    for output, pair, at in _pairs(name, count, seed):
        found = said_of(name, {output: pair}, at)
        for m in pair:
            tried += 1
            if not ({m.label, *m.also} & {found.cause, *found.also}):
                missed.append(f"{output}: {[(p.label, p.does) for p in pair]}: told {found.cause} {found.also}")
        if any(not f.fine and f.output != output for f in found):
            accused.append(found)
    return missed, tried, accused


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "linear", "softmax", "batch_norm2d", "sigmoid"])
def test_two_mistakes_at_once_are_named(name):
    missed, tried, accused = _missed_pairs(name, 8)
    assert not accused
    assert tried >= 10
    assert len(missed) <= 0.15 * tried, "\n".join(missed)


@pytest.mark.slow
def test_two_mistakes_at_once_are_named_over_the_whole_catalogue():
    missed, tried = [], 0
    for name in NAMES:
        found, count, accused = _missed_pairs(name, 60, seed=1)
        missed, tried = missed + found, tried + count
        assert not accused
    assert len(missed) <= 0.05 * tried, "\n".join(missed)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_forward_is_named(name):
    target = SUBJECTS[name]
    for other, m in FORWARDS:
        if other == name and name != "dropout":
            function = signature(target, forward_of(target, (m,)), gradient=False)
            found = diagnose(None, name, function, layout=layout_of(name), weights=WEIGHTS.get(name), seed=4)
            assert not found.healthy
            assert named(found, m.label), f"{m.label} ({m.does})\n{found}"


def test_no_other_name_hides_an_operation():
    assert not set(ALIASES) & set(OPERATIONS)
    assert set(ALIASES.values()) <= set(OPERATIONS)
