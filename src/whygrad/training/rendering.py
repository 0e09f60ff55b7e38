"""How runs and evaluations are shown in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whygrad import notebook
from whygrad.errors import WhygradError
from whygrad.training.metrics import read_metrics

if TYPE_CHECKING:
    from whygrad.training.evaluate import Evaluation
    from whygrad.training.run import Run

#: More classes than these are not shown in a table.
_CLASSES = 26
#: Points of a curve.
_POINTS = 200


def run_html(run: Run) -> str:
    """Return a run as HTML: its recipe, where it stands, and its curves."""
    records = read_metrics(run.path / "metrics.jsonl")
    choices = [(name, f"{value}") for name, value in run.recipe.to_dict().items() if value not in (None, "")]
    listed = notebook.said(", ".join(f"{name} {value}" for name, value in choices), dim=True)
    return notebook.piece(
        notebook.said(str(run.path), bold=True), listed, notebook.said(_standing(run, records)), _curves(records)
    )


def _standing(run: Run, records: list[dict[str, Any]]) -> str:
    try:
        summary = run.summary
    except WhygradError as error:
        return str(error)
    if summary is not None:
        accuracy = f"test accuracy {100 * summary['test_accuracy']:.2f} %"
        return f"{accuracy} after {summary['epochs']} epochs in {summary['seconds']:.1f} s"
    if records:
        last = records[-1]
        return f"not finished: step {last['step']:,}, in epoch {last['epoch']}, loss {last['loss']:.4g}"
    return f"not begun; whygrad train --resume {run.path}"


def _curves(records: list[dict[str, Any]]) -> str:
    ends = [record for record in records if record.get("epoch_loss") is not None]
    if len(ends) < 2:
        every = max(1, len(records) // _POINTS)
        return notebook.curves("loss", {"of each step": [(r["step"], float(r["loss"])) for r in records[::every]]})

    def line(name: str) -> list[tuple[float, float]]:
        return [(r["epoch"], float(r[name])) for r in ends if r.get(name) is not None]

    loss = {"training": line("epoch_loss"), "validation": line("validation_loss")}
    accuracy = {"training": line("epoch_accuracy"), "validation": line("validation_accuracy")}
    return notebook.curves("loss", loss) + notebook.curves("accuracy", accuracy)


def evaluation_html(result: Evaluation) -> str:
    """Return an evaluation as HTML: accuracy, loss, and how often each class was taken for each."""
    title = notebook.said(f"accuracy {100 * result.accuracy:.2f} %, loss {result.loss:.4g}", bold=True)
    confusion = result.confusion
    if len(confusion) > _CLASSES:
        return notebook.piece(title, notebook.said(f"{len(confusion)} classes", dim=True))
    titles = ["true class", *map(str, range(len(confusion))), "right"]
    lines = [
        [str(i), *(str(n) if n else "·" for n in row), f"{row[i]}/{row.sum()}"] for i, row in enumerate(confusion)
    ]
    note = notebook.said("each row is a class, each column what its images were taken for", dim=True)
    return notebook.piece(title, notebook.table(titles, lines, range(1, len(titles))), note)
