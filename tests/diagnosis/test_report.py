"""What a diagnosis is: verdicts, causes, how it is written down and shown."""

import json
import threading
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from tests.diagnosis.students import shared as s
from tests.diagnosis.students.right import fast_im2col
from whygrad.diagnosis import (
    Diagnosis,
    Finding,
    Judgement,
    diagnose,
    diagnose_arrays,
    diagnose_loss,
    diagnose_network,
)
from whygrad.diagnosis.rendering import conclusion, text
from whygrad.errors import OptionError


def wrong_linear(dy, x, w, b):
    return dy @ w.T, -(x.T @ dy), dy.mean(0)


def said():
    return diagnose(wrong_linear, "linear", weights="IO")


def test_each_gradient_has_its_own_finding():
    d = said()
    assert [f.output for f in d] == ["dx", "dw", "db"]
    assert (d["dw"].cause, d["db"].cause) == ("sign_error", "batch_scale_wrong")
    assert d["dx"].fine
    assert not d.healthy
    assert {d.cause, *d.also} >= {"sign_error", "batch_scale_wrong"}
    assert d.calls >= 6
    assert 0 < d.seconds < 60
    with pytest.raises(KeyError):
        d["dy"]


def test_a_finding_says_what_why_where_and_how_to_mend_it():
    found = said()["db"]
    assert found.says == "your db is 1/N times what it should be"
    assert found.where == "wrong for more than one sample, right elsewhere: that is why it may go unnoticed"
    assert found.fix.startswith("db = N * db, so that db = dy.sum(axis=0)  # x (")
    assert "a mean over N samples gives every gradient 1/N" in found.lesson
    assert found.evidence["misfit"] < 1e-12
    assert found.evidence["rival"] != "batch_scale_wrong"
    assert found.evidence["rival_misfit"] > 1e-3


def test_it_survives_json():
    d = said()
    assert Diagnosis.from_dict(json.loads(json.dumps(d.to_dict(), default=float))) == d


def test_it_is_shown_as_text_and_in_a_notebook():
    d, page = said(), said()._repr_html_()
    assert str(d) == text(d)
    assert "Your dw has the wrong sign." in str(d)
    assert max(map(len, text(d, 60).splitlines())) <= 60
    assert page.count("<div") == page.count("</div>")
    assert "<script" not in page
    assert "&lt;" in Diagnosis(subject="a<b", findings=())._repr_html_()
    file = StringIO()
    Console(file=file, width=80, force_terminal=True, color_system="truecolor").print(d)
    assert "\x1b[" in file.getvalue()


def test_a_terminal_without_unicode_gets_ascii():
    console = Console(file=StringIO(), width=80)
    text_of = "".join(part.text for part in console.render(said(), replace(console.options, encoding="ascii")))
    assert "x wrong" in text_of
    assert "✗" not in text_of


def test_what_was_said_once_is_not_said_again():
    def backward(dy, x, w, b):
        return fast_im2col(2 * dy, x, w, b, 1, 0)[0], fast_im2col(3 * dy, x, w, b, 1, 0)[1], dy.sum((0, 2, 3))

    d = diagnose(backward, "conv2d")
    assert not any("  like d" in line for line in str(d).splitlines())
    same = Finding(output="dx", verdict=Judgement.WRONG, cause="sign_error", says="your dx has the wrong sign")
    other = Finding(output="dw", verdict=Judgement.WRONG, cause="sign_error", says="your dw has the wrong sign")
    assert "dw  ✗ wrong  sign_error  like dx" in str(Diagnosis(subject="relu", findings=(same, other)))


def test_conclusions():
    right = Finding(output="dx", verdict=Judgement.RIGHT)
    lost = Finding(output="dw", verdict=Judgement.WRONG)
    assert conclusion(Diagnosis(subject="a", findings=(right,))) == "Healthy: the gradient dx is right."
    assert conclusion(Diagnosis(subject="a", findings=(right, lost))) == "Wrong: dw. The cause is not known."
    assert conclusion(Diagnosis(subject="a", findings=())) == "Nothing could be judged."
    assert not Diagnosis(subject="a", findings=()).healthy
    assert Diagnosis(subject="a", findings=(lost,)).cause is None
    assert conclusion(said()) == "Wrong: dw (sign_error), db (batch_scale_wrong)."


# Conventions


def test_a_factor_that_all_gradients_share_is_a_convention():
    d = diagnose(
        lambda dy, x, w, b: tuple(a / len(x) for a in (dy @ w.T, x.T @ dy, dy.sum(0))), "linear", weights="IO"
    )
    assert {f.verdict for f in d} == {Judgement.CONVENTION}
    assert d.cause == "batch_scale_wrong"
    assert "the learning rate means 1/N of what it otherwise would" in d["dw"].says


def test_a_factor_that_one_gradient_has_is_a_bug():
    d = diagnose(lambda dy, x, w, b: (dy @ w.T, x.T @ dy / len(x), dy.sum(0)), "linear", weights="IO")
    assert d["dw"].verdict is Judgement.WRONG


def test_a_sign_that_all_gradients_share_is_no_convention():
    d = diagnose(lambda dy, x, w, b: tuple(-a for a in (dy @ w.T, x.T @ dy, dy.sum(0))), "linear", weights="IO")
    assert {f.verdict for f in d} == {Judgement.WRONG}
    assert d.cause == "sign_error"


def test_a_loss_without_its_half_is_a_convention():
    z, t = s.values(np.random.default_rng(0))
    d = diagnose_loss(s.half_sse, lambda z, t: 2 * (z - t), z, t)
    assert d["dz"].verdict is Judgement.CONVENTION
    assert d.cause == "batch_scale_wrong"


# Abstaining and localising


def test_an_unknown_mistake_is_localised_and_not_named():
    def backward(dy, x, w, b, stride, pad):
        dx, dw, db = fast_im2col(dy, x, w, b, stride, pad)
        dw[0] = np.sin(dw[0])
        return dx, dw, db

    d = diagnose(backward, "conv2d")
    assert d.cause is None
    assert not d.healthy
    assert d["dx"].fine
    assert d["db"].fine
    assert d["dw"].says == "your dw is wrong, and nothing in the catalogue explains it"
    assert any("wrong in the first filter, right elsewhere" in note for note in d["dw"].notes)
    assert any("not in proportion to dy" in note for note in d["dw"].notes)


def test_noise_is_no_cause():
    rng = np.random.default_rng(0)

    def backward(dy, x, w, b, stride, pad):
        return tuple(a * rng.normal(size=a.shape) for a in fast_im2col(dy, x, w, b, stride, pad))

    d = diagnose(backward, "conv2d")
    assert not d.healthy
    assert all(f.cause in (None, "cache_overwritten_in_place") for f in d)  # each call gives something else


@pytest.mark.parametrize("seed", range(6))
def test_random_arrays_have_no_cause(seed):
    rng = np.random.default_rng(seed)
    x, w, dy = rng.normal(size=(2, 3, 5, 6)), rng.normal(size=(4, 3, 3, 2)), rng.normal(size=(2, 4, 3, 5))
    d = diagnose_arrays("conv2d", x=x, w=w, dy=dy, dw=rng.normal(size=w.shape), dx=rng.normal(size=x.shape))
    assert d.cause is None
    small = rng.integers(-2, 3, size=(3, 3)).astype(float)
    d = diagnose_arrays("conv2d", x=small, dy=np.array([[1.0, 2], [0, -1]]), dw=rng.integers(-3, 4, (2, 2)) + 0.0)
    assert d.healthy or d.cause is None or d["dw"].evidence["misfit"] == 0


def test_two_causes_with_the_same_numbers_are_both_told():
    x, dy = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    d = diagnose_arrays("conv2d", x=x, w=np.ones((2, 2)), dy=dy, dw=np.full((2, 2), 8.0))
    assert not d.healthy
    assert len({d.cause, *d.also} - {None}) >= 2


# What a small size hides


def test_sizes_that_hide_a_mistake_accuse_nobody():
    rng = np.random.default_rng(0)
    x, w, dy = rng.normal(size=(1, 1, 4, 4)), rng.normal(size=(1, 1, 1, 1)), rng.normal(size=(1, 1, 4, 4))
    flipped = fast_im2col(dy, x, w[:, :, ::-1, ::-1], np.zeros(1), 1, 0)
    assert diagnose_arrays("conv2d", x=x, w=w, dy=dy, dx=flipped[0], dw=flipped[1]).healthy


def test_a_mistake_that_shows_at_some_sizes_says_at_which():
    def backward(dy, x, w, b, stride, pad):
        right = fast_im2col(dy, x, w, b, stride, pad)
        if stride == 1:
            return right
        return right[0], np.zeros_like(w), right[2]

    where = diagnose(backward, "conv2d")["dw"].where
    assert where == "wrong for stride > 1, right elsewhere: that is why it may go unnoticed"


# Ways to ask


def test_wrong_questions_are_one_sentence():
    with pytest.raises(OptionError, match="expected a backward, a forward or both"):
        diagnose()
    with pytest.raises(OptionError, match="expected op, or a forward as its reference"):
        diagnose(lambda dy, x: dy)
    with pytest.raises(OptionError, match="expected op as one of"):
        diagnose(lambda dy, x: dy, "convolve")
    with pytest.raises(OptionError, match="params as a dictionary of arrays"):
        diagnose_network(lambda p: 0.0, lambda p: {}, [1, 2])
    with pytest.raises(OptionError, match="z as an array of numbers"):
        diagnose_loss(s.mse, lambda z, t: z, None, None)


def test_functions_that_do_not_come_back_are_told():
    over = threading.Event()  # a thread that computes for ever would slow down every test after this one

    def hangs(dy, x):
        over.wait()

    d = diagnose(hangs, "relu", time_limit=0.3)
    over.set()
    assert d["all"].verdict is Judgement.ERROR
    assert d.cause is None
    assert not d.healthy
