"""What printed digits claim."""

import pytest

from whygrad.explanation.verification.lines import lines_of
from whygrad.explanation.verification.printed import printed, together


@pytest.mark.parametrize(
    ("text", "number", "rounds", "cuts"),
    [
        ("0.05", 0.045, True, False),
        ("0.05", 0.0449, False, False),
        ("1.20", 1.2049, True, False),
        ("1.20", 1.2051, False, True),
        ("1.20", 1.21, False, False),
        ("-0.0681", -0.06818625, False, True),
        ("0.0681", -0.06818625, False, False),
        ("3", 2.6, True, False),
        ("2", 2.6, False, True),
        ("0", 0.0364, False, False),
        ("0.0", 0.0364, True, False),
        ("0", 1e-17, True, False),
        ("1.5e-3", 0.00154, True, False),
        ("−2", -2.0, True, False),
    ],
)
def test_rounding_and_cutting(text, number, rounds, cuts):
    assert printed(text).rounds(number) is rounds
    assert printed(text).cuts(number) is cuts


def test_whole_numbers_among_decimals_claim_as_many_digits():
    assert [one.unit for one in together([printed("1"), printed("0.25"), printed("0.5")])] == [0.1, 0.01, 0.1]


def test_lines_of_keys_behind_arrays_strings_and_comments():
    text = 'a = [1, # [\n 2]\nb = "]["\n[c.d]\ne = {f = 1}\n[[g]]\n[[g]]\n[g.h]\ni = """\n[x]\n"""\nj = 1\n'
    found = lines_of(text)
    assert found["b",] == 3
    assert found["c", "d", "e"] == 5
    assert found["g", 1] == 7
    assert found["g", 1, "h", "j"] == 12
    assert ("x",) not in found
