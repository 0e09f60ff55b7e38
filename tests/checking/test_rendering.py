"""What a report looks like: in a terminal of any width, as text, in a notebook."""

import io
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from whygrad.checking.rendering import html, renderable, text
from whygrad.checking.report import Entry, Kink, Report, Row, Verdict
from whygrad.checking.wording import conclusion, short

METHOD = "central differences, h = 2e-3"
X = Row(
    name="x",
    verdict=Verdict.RIGHT,
    shape=(2, 3, 5, 5),
    checked=150,
    entries=150,
    relative_error=2.1e-11,
    bound=3e-11,
    worst=Entry((0, 1, 2, 3), 0.3124512, 0.3124512, 2e-11),
    method=METHOD,
)
W = replace(
    X,
    name="w",
    verdict=Verdict.WRONG,
    relative_error=1.3,
    worst=Entry((0, 0, 1, 1), 0.25, -0.5, 2e-10),
    wrong=tuple(Entry((0, 0, 1, i), 0.25 + i, -0.5, 2e-10) for i in range(20)),
    findings=("It is wrong in all entries, as if it were turned by 180° <twice>.",),
)
B = replace(
    X,
    name="b",
    verdict=Verdict.KINK,
    kinks=(Kink((2,), 0.0, 0.0, 1.0, 3, True), Kink((1,), 7.0, 0.0, 1.0, None, False)),
)
EMPTY = replace(X, checked=0, worst=None, method="", bound=float("inf"), relative_error=float("nan"))


def report(*rows, **more):
    return Report(subject="my_layer.py", rows=rows, details={"seed": 0}, **more)


def names(count, row=X):
    return [replace(row, name=f"layer3.{i}.conv1.weight", checked=40, entries=36_864) for i in range(count)]


def test_a_row_says_everything_that_is_known():
    table = text(report(X, evaluations=1204, seconds=0.312), 120)
    line = next(line for line in table.splitlines() if line.startswith("  x "))
    cells = ["x", "✓ right", "150 of 150", "2.1e-11", "3e-11", "[0, 1, 2, 3]", "0.31245", "0.31245 ± 2e-11"]
    assert re.split(r"  +", line.strip()) == cells
    assert METHOD in table
    assert table.endswith("1,204 evaluations in 0.31 s, seed 0")


def test_a_wrong_row_says_where_and_how():
    table = text(report(X, W))
    assert "✗ wrong" in table
    assert "turned by 180° <twice>." in table
    assert re.search(r"\[0, 0, 1, 0\] +0.25 +-0.5 ± 2e-10", table)
    assert "and 12 more" in table
    assert "\nw is wrong: claimed 0.25, measured -0.5 ± 2e-10 at [0, 0, 1, 1]; x is right.\n" in table


def test_numbers_have_the_digits_that_tell_them_apart():
    near = Entry((0,), 1.0000001, 1.0, 1e-12)
    assert "claimed 1.0000001, measured 1 ± 1e-12" in text(report(replace(W, worst=near, wrong=(near,))))


def test_kinks_are_shown_with_both_slopes_and_those_that_are_wrong_first():
    table = text(report(B))
    first, second = [line for line in table.splitlines() if line.endswith(("✓ between", "✗ outside"))]
    assert re.split(r"  +", first.strip()) == ["[1]", "7", "0", "1", "–", "✗ outside"]
    assert re.split(r"  +", second.strip()) == ["[2]", "0", "0", "1", "3", "✓ between"]


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_said_in_words_and_not_by_colour_alone(verdict):
    row = replace(X, verdict=verdict)
    assert re.search(rf"\S {verdict}", text(report(row)))
    assert f" {verdict}</span>" in html(report(row))


@pytest.mark.parametrize("width", [80, 100, 120, 160])
@pytest.mark.parametrize("rows", [names(60), [X, W, B], [replace(X, method="complex step"), W]])
def test_nothing_is_wider_than_the_terminal_and_no_row_takes_two_lines(width, rows):
    lines = text(report(*rows), width).splitlines()
    assert max(map(len, lines)) <= width
    for row in rows:
        assert sum(line.startswith(f"  {row.name} ") and str(row.verdict) in line for line in lines) == 1


def test_columns_are_given_up_from_the_right():
    wide, narrow, narrower = (text(report(X, X), width) for width in (120, 80, 40))
    assert "measured" in wide
    assert "claimed" not in narrow
    assert "worst entry" in narrow
    assert "largest" not in narrower
    assert "✓ right" in narrower


@pytest.mark.parametrize("width", [1, 10, 20, 40])
def test_a_very_narrow_terminal_is_no_error(width):
    assert "right" in text(report(X, W, B), width).replace("\n", "")


def test_methods_that_differ_are_a_column_or_lines_below():
    rows = [X, replace(X, name="b", method="complex step")]
    assert "method" in text(report(*rows), 160).splitlines()[2]
    assert f"x: {METHOD}\nb: complex step" in text(report(*rows), 80)


def test_what_is_said_of_every_row_alike_is_said_once():
    rows = [replace(EMPTY, name=name, verdict=Verdict.FAULTY, findings=("f is random",)) for name in "xw"]
    for shown in (text(report(*rows)), html(report(*rows))):
        assert shown.count("f is random") == 1
        assert "Nothing is known of x and w, since the check itself is at fault." in shown


def test_numbers_that_are_not_known_are_left_out():
    for verdict in (Verdict.NOT_FINITE, Verdict.FAULTY):
        table = text(report(replace(EMPTY, verdict=verdict)), 120)
        assert "nan" not in table
        assert "inf" not in table


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "Nothing was checked."),
        ([X], "The gradient of x is right: 150 entries compared, known to 3e-11."),
        ([X, X], "Both gradients are right: 300 entries compared, known to 3e-11."),
        (names(5), "All 5 gradients are right: 200 of 184,320 entries compared, known to 3e-11."),
        ([replace(X, checked=1, entries=1)], "The gradient of x is right: 1 entry compared, known to 3e-11."),
        (
            [X, B],
            "Both gradients are right: 300 entries compared, known to 3e-11; at the kinks of b the claim lies"
            " between the slopes.",
        ),
        ([W, replace(W, name="b"), X, X], "w and b are wrong; the other 2 are right."),
        (
            [*names(7, W)],
            "layer3.0.conv1.weight, layer3.1.conv1.weight, layer3.2.conv1.weight and 4 more are wrong.",
        ),
        ([replace(EMPTY, verdict=Verdict.NOT_FINITE)], "x has nothing finite to compare."),
        ([replace(X, verdict=Verdict.UNDECIDED), B], "x is undecided; b is right."),
        (
            [replace(W, worst=Entry((), 2.0, 1.0, 1e-9)), replace(EMPTY, name="A", verdict=Verdict.FAULTY)],
            "Nothing is known of A, since the check itself is at fault; w is wrong: claimed 2, measured 1 ± 1e-9.",
        ),
    ],
)
def test_one_sentence_concludes(rows, expected):
    assert conclusion(report(*rows)) == expected


@pytest.mark.parametrize(("value", "expected"), [(2.1e-11, "2e-11"), (0.5, "0.5"), (0.0, "0"), (1e100, "1e+100")])
def test_sizes_are_short(value, expected):
    assert short(value) == expected


def printed(shown, width=80, encoding="utf-8", **options):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=file, width=width, **options).print(renderable(shown))
    file.seek(0)
    return file.read()


def test_verdicts_have_colours_in_a_terminal():
    shown = printed(report(X, W, B), force_terminal=True, color_system="standard")
    assert "\x1b[32m✓ right" in shown
    assert re.search(r"\x1b\[[0-9;]*31m✗ wrong", shown)
    assert "\x1b[33m✓ kink" in shown


def test_a_terminal_without_unicode_gets_plain_letters():
    shown = printed(report(X, W, B, findings=("−1 × 2",)), encoding="ascii")
    assert "x wrong" in shown
    assert "-0.5 ~ 2e-10" in shown


def test_in_a_pipe_sentences_are_not_folded():
    long = "word " * 60
    shown = printed(report(replace(W, findings=(long,))), width=200, soft_wrap=True)
    assert long.strip() in shown


def test_brackets_in_names_are_no_markup():
    assert "[red]x[/red]" in text(report(replace(X, name="[red]x[/red]")))


class Tags(HTMLParser):
    """Checks that what is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("rows", [[], [X], [X, W, B], [replace(X, method="complex step"), W]])
def test_html_is_well_formed_and_needs_nothing_else(rows):
    tags = Tags()
    tags.feed(html(report(*rows)))
    assert not tags.open
    assert {tag for tag, _ in tags.seen} <= {"div", "table", "tbody", "tr", "th", "td", "span"}
    assert all(set(attributes) <= {"style", "colspan"} for _, attributes in tags.seen)


def test_everything_in_html_is_escaped():
    evil = "<script>alert('x')</script>"
    row = replace(W, name=evil, method=evil, findings=(evil, "another"))
    shown = html(Report(subject=evil, rows=(row,), findings=(evil,), details={"seed": evil}))
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= 5


def test_html_sets_a_text_colour_only_where_it_sets_the_background():
    for style in re.findall(r'style="([^"]*)"', html(report(X, W, B))):
        assert ("color:#fff" in style) == ("background:#" in style)


def test_a_report_is_shown_in_all_three_ways():
    shown = report(X, W)
    assert str(shown) == text(shown)
    assert shown._repr_html_() == html(shown)
    assert "✗ wrong" in printed(shown)


def test_rich_is_loaded_when_something_is_shown_and_not_before():
    code = "import sys, whygrad.checking; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
