"""Puts a report together: one file without scripts, which asks for nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import math
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from whygrad.checking import Report
from whygrad.layers import count
from whygrad.reporting.charts import Curve, bars, confusion_chart, line_chart, smoothed
from whygrad.reporting.checks import Finding
from whygrad.reporting.gathering import Gathered, Mistake
from whygrad.reporting.pictures import data_uri, filter_uri
from whygrad.training.files import write_file

_MOST_CLASSES = 40  #: beyond this the confusion of classes is listed and not drawn
_MOST_FILTERS = 64
_MOST_PAIRS = 20
#: What is shown of a recipe although it is left at nothing.
_ALWAYS = ("seed",)


def write_report(gathered: Gathered, path: Path | str) -> int:
    """Write the page of a run, and return how many bytes it has.

    Raises:
        FileError: it cannot be written.
    """
    content = page(gathered).encode()
    write_file(Path(path), content)
    return len(content)


def page(gathered: Gathered) -> str:
    """Return the page of a run as HTML."""
    style = _style()
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    title = escape(gathered.run.path.resolve().name)
    sections = "".join(
        section
        for section in (
            _header(gathered),
            _curves(gathered),
            _confusion(gathered),
            _mistakes(gathered),
            _filters(gathered),
            _checks(gathered),
            _recipe(gathered),
        )
    )
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{title}: report</title>\n<style>{style}</style>\n</head>\n<body>\n{sections}</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return (resources.files("whygrad.reporting") / "style.css").read_text(encoding="utf-8")


def _header(gathered: Gathered) -> str:
    run, experiment, result = gathered.run, gathered.experiment, gathered.result
    total = len(experiment.test.labels)
    right = round(result.accuracy * total)
    summary = gathered.summary
    epochs = _counted(int(summary["epochs"]), "epoch") if summary else "unfinished"
    seconds = f"{summary['seconds']:.0f} s" if summary else "–"
    facts = {
        "images": f"{len(experiment.train.labels):,} + {total:,}",
        "size": "×".join(map(str, experiment.test.image_shape)),
        "classes": f"{len(experiment.test.classes)}",
        "network": run.recipe.model,
        "parameters": f"{count(experiment.model):,}",
        "trained": epochs,
        "in": seconds,
        "seed": f"{run.recipe.seed}",
    }
    items = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    tops = [f"{100 * result.top(k):.2f} % among the first {k}" for k in (2, 3) if k < len(experiment.test.classes)]
    among = f" The right class is {' and '.join(tops)}." if tops else ""
    return (
        f'<header><p class="kicker">whygrad report</p><h1>{escape(run.recipe.request.name)}'
        f' <small>{escape(str(run.path))}</small></h1><div class="hero">'
        f'<p class="accuracy">{100 * result.accuracy:.2f}<span> %</span></p><p class="meaning">'
        f"<b>{right:,} of {total:,}</b> test images recognised, loss"
        f" {result.loss:.4f}.{among}</p></div><dl>{items}</dl></header>\n<main>\n"
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _curves(gathered: Gathered) -> str:
    records = gathered.records
    if not records:
        return ""
    window = max(1, len(records) // 100)
    steps = [record["step"] for record in records]
    losses = [record["loss"] for record in records]
    ends = [record for record in records if record.get("epoch_loss") is not None]
    per_epoch = ends[0]["step"] if ends else 1
    at = [step / per_epoch for step in steps]
    curves = [Curve("fine" if window > 1 else "main", "each step", at, losses)]
    if window > 1:
        curves.append(Curve("main", f"mean of {window}", at, [float(each) for each in smoothed(losses, window)]))
    kept = [record for record in ends if record.get("validation_loss") is not None]
    epochs_of_kept = [record["epoch"] for record in kept]
    if kept:
        curves.append(Curve("other", "validation", epochs_of_kept, [r["validation_loss"] for r in kept], dots=True))
    charts = [line_chart("loss", curves, x_label="epoch", log=True)]
    accurate = [record for record in ends if record.get("epoch_accuracy") is not None]
    if accurate:
        epochs = [record["epoch"] for record in accurate]
        shown = [Curve("main", "training", epochs, [r["epoch_accuracy"] for r in accurate], dots=True)]
        if kept:
            told = [record["validation_accuracy"] for record in kept]
            shown.append(Curve("other", "validation", epochs_of_kept, told, dots=True))
        else:
            shown.append(Curve("other", "test, at the end", epochs[-1:], [gathered.result.accuracy], dots=True))
        charts.append(line_chart("accuracy", shown, x_label="epoch", percent=True))
    rates = Curve("main", "learning rate", at, [record.get("learning_rate") or 0.0 for record in records])
    charts.append(line_chart("learning rate", [rates], x_label="epoch"))
    norms = [
        (a, record["gradient_norm"]) for a, record in zip(at, records, strict=True) if record.get("gradient_norm")
    ]
    if norms:
        curve = Curve("main", "norm before clipping", [a for a, _ in norms], [b for _, b in norms])
        charts.append(line_chart("gradient", [curve], x_label="epoch", log=True))
    return _section("How it learned", "", f'<div class="charts">{"".join(charts)}</div>')


def _confusion(gathered: Gathered) -> str:
    classes, result = gathered.experiment.test.classes, gathered.result
    if len(classes) <= _MOST_CLASSES:
        note = "A row is a true class, a column what its images were taken for. Point at a cell for its share."
        drawn = confusion_chart(result.confusion, classes)
        return _section(
            "What is taken for what",
            note,
            f'<div class="split"><div class="scroll">{drawn}</div>{bars(result, classes)}</div>',
        )
    wrong = result.confusion.copy()
    wrong[range(len(classes)), range(len(classes))] = 0
    order = wrong.ravel().argsort()[::-1][:_MOST_PAIRS]
    rows = "".join(
        f"<tr><td>{escape(classes[i])}</td><td>{escape(classes[j])}</td><td class='number'>{wrong[i, j]}</td></tr>"
        for i, j in (divmod(int(k), len(classes)) for k in order)
        if wrong[i, j]
    )
    head = "<thead><tr><th>class</th><th>taken for</th><th>images</th></tr></thead>"
    pairs = f'<table class="plain">{head}<tbody>{rows}</tbody></table>'
    return _section(
        "What is taken for what",
        "The commonest confusions.",
        f'<div class="split">{pairs}{bars(result, classes)}</div>',
    )


def _mistakes(gathered: Gathered) -> str:
    mistakes = gathered.mistakes
    if not mistakes:
        return _section("Its mistakes", "", "<p>None: every test image was recognised.</p>")
    wrong = int((gathered.result.ranks > 0).sum())
    shown = "all of them" if wrong == len(mistakes) else f"the worst {len(mistakes)} of {wrong}"
    note = f"Test images whose right class it thought least probable; {shown}."
    return _section(
        "Its mistakes", note, f'<ol class="mistakes">{"".join(_mistake(each) for each in mistakes)}</ol>'
    )


def _mistake(mistake: Mistake) -> str:
    small = " crisp" if max(mistake.image.shape[1:]) <= 64 else ""
    told = f"test image {mistake.number}: {mistake.right}, taken for {mistake.guess}"
    about = f'alt="{escape(told)}" title="{escape(told)}"'
    return (
        f'<li><img class="picture{small}" src="{data_uri(mistake.image)}" {about}>'
        f'<p><b class="true">{escape(mistake.right)}</b> <span class="arrow">→</span>'
        f' <b class="guess">{escape(mistake.guess)}</b></p><p class="sure">{100 * mistake.confidence:.1f} % sure'
        f"<br>{_small(mistake.chance)} for {escape(mistake.right)}</p></li>"
    )


def _small(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 5e-4 else "&lt; 0.1 %"


def _filters(gathered: Gathered) -> str:
    if gathered.filters is None:
        return ""
    name, weights = gathered.filters
    kind = "in the colours that they look for" if weights.shape[1] == 3 else "orange is positive, blue negative"
    shown = (
        f"the first {_MOST_FILTERS} of {len(weights)}" if len(weights) > _MOST_FILTERS else f"all {len(weights)}"
    )
    size = "×".join(map(str, weights.shape[2:]))
    note = f"{escape(name)}, {shown} filters of {size}, each on its own scale: {kind}."
    images = "".join(
        f'<img class="filter crisp" src="{filter_uri(each)}" alt="filter {i}" title="filter {i}: {_range(each)}">'
        for i, each in enumerate(weights[:_MOST_FILTERS])
    )
    return _section("What it looks for first", note, f'<div class="filters">{images}</div>')


def _range(weights: Any) -> str:
    return f"{float(weights.min()):.2g} to {float(weights.max()):.2g}"


def _checks(gathered: Gathered) -> str:
    findings = "".join(_finding(each) for each in gathered.findings)
    trained = f'<ul class="findings">{findings}</ul>'
    if gathered.gradients is None:
        return _section("Checks", "", trained)
    return _section(
        "Checks",
        "",
        f'<div class="split even"><div><h3>of the training</h3>{trained}</div>'
        f"{_gradients(gathered.gradients)}</div>",
    )


def _finding(finding: Finding) -> str:
    mark, kind, said = ("✓", "good", "well") if finding.good else ("!", "look", "look")
    return (
        f'<li class="{kind}"><span class="mark" role="img" aria-label="{said}">{mark}</span><div>'
        f"<b>{escape(finding.title)}</b><p>{escape(finding.text)}</p></div></li>"
    )


def _gradients(report: Report) -> str:
    rows = "".join(
        f'<tr class="{"good" if row.verdict.good else "look"}"><th scope="row">{escape(row.name)}</th>'
        f'<td><span class="mark">{"✓" if row.verdict.good else "✗"}</span> {row.verdict}</td>'
        f'<td class="number">{row.entries:,}</td><td class="number">{_digits(row.relative_error)}</td>'
        f'<td class="number">{_digits(row.bound)}</td></tr>'
        for row in report
    )
    head = "".join(
        f'<th scope="col">{each}</th>' for each in ("gradient", "verdict", "entries", "error", "known to")
    )
    entries = sum(row.entries for row in report)
    said = (
        f"All {entries:,} entries agree with finite differences of the trained network."
        if report.right
        else "Not every gradient is known to be right."
    )
    return (
        f'<div><h3>of the gradients</h3><p class="note">{said}</p><div class="scroll">'
        f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></div>'
    )


def _digits(value: float) -> str:
    return f"{value:.0e}" if math.isfinite(value) else "–"


def _recipe(gathered: Gathered) -> str:
    run = gathered.run
    chosen = {
        name: value
        for name, value in run.recipe.to_dict().items()
        if name in _ALWAYS or value not in (None, "", False, 0)
    }
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in chosen.items()
    )
    network = escape(str(gathered.experiment.model))
    version = escape(str(run.config.get("whygrad", "?")))
    return (
        f'<section><h2>How it was made</h2><dl class="recipe">{items}</dl>'
        f'<details open><summary>the network</summary><div class="scroll"><pre>{network}</pre></div></details>'
        f"</section>\n</main>\n<footer>written by whygrad {version};"
        " this page is one file and asks for nothing from elsewhere</footer>\n"
    )


def _section(title: str, note: str, content: str) -> str:
    said = f'<p class="note">{note}</p>' if note else ""
    return f"<section><h2>{title}</h2>{said}{content}</section>\n"
