"""Code that was not made from the catalogue: wrong functions are named, right ones are left alone."""

import pytest

from tests.diagnosis.students.right import RIGHT
from tests.diagnosis.students.wrong import WRONG
from tests.diagnosis.students.wrong_too import WRONG_TOO

ALL_WRONG = WRONG + WRONG_TOO
#: Where another cause gives the same numbers, so that the one that was meant is named beside it.
BESIDE = {"conv2d: full_convolution_without_dilation", "loss: only_the_positive_term"}


@pytest.mark.parametrize("written", ALL_WRONG, ids=lambda w: w.name)
def test_what_is_wrong_is_named(written):
    found = written.said(0)
    assert not found.healthy
    named = {found.cause, *found.also} if written.name in BESIDE else {found.cause}
    assert named & set(written.accepted), str(found)
    assert any(f.says and f.lesson for f in found if f.cause == found.cause)


@pytest.mark.slow
@pytest.mark.parametrize("written", ALL_WRONG, ids=lambda w: w.name)
def test_what_is_wrong_is_named_with_other_numbers(written):
    for seed in range(1, 6):
        found = written.said(seed)
        assert {found.cause, *found.also} & set(written.accepted), f"seed {seed}\n{found}"


@pytest.mark.parametrize("written", RIGHT, ids=lambda w: w.name)
def test_what_is_right_is_left_alone(written):
    for seed in range(2):
        found = written.said(seed)
        assert found.healthy, str(found)
        assert not any(finding.cause for finding in found)


def test_there_are_many_of_both():
    assert len(ALL_WRONG) >= 100
    assert len(RIGHT) >= 40
