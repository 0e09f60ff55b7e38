"""``inference``: predictions of the ready models."""

from __future__ import annotations

from benchmarks import ours
from benchmarks.agreement import DisagreementError, require
from benchmarks.networks import MODELS, Network
from benchmarks.pairing import compare
from benchmarks.report import Report, cells
from benchmarks.settings import Settings

COLUMNS = ("prediction", "batch", "whygrad", "PyTorch", "PyTorch/whygrad", "PyTorch's way")
BATCHES = (1, 256)


def measure(models: list[str], batches: list[int], settings: Settings, report: Report) -> None:
    """Time predictions of each model and show them."""
    compiled = False
    if settings.torch:
        from benchmarks.torch_modes import wants_compile  # noqa: PLC0415 - PyTorch may be absent

        compiled = wants_compile(settings, report)
    rows = []
    for model, shape in MODELS:
        for batch in batches if model in models else []:
            report.say(f"{model}, batch {batch}")
            try:
                rows.append(_row(Network(model, model, model, shape, batch, 1.0), settings, report, compiled))
            except DisagreementError as error:
                report.warn(f"{model}: no times, the sides disagree: {error}")
                report.add(model=model, batch=batch, error=str(error))
                rows.append([model, str(batch), "disagree", "", "", ""])
    report.table(COLUMNS, rows)


def _row(network: Network, settings: Settings, report: Report, compiled: bool) -> list[str]:
    model = ours.build(network.model, network.input_shape)
    weights, x = ours.weights(model), network.images()
    predictor = ours.Predictor(model, weights)
    choice, apart = None, None
    if settings.torch:
        from benchmarks.torch_modes import best_predictor  # noqa: PLC0415

        choice = best_predictor(network.model, x, weights, settings, report, compiled)
        apart = require("output", predictor(x), choice.call().numpy())
    result = compare(lambda: predictor(x), choice.call if choice else None, settings.rounds, **settings.timing)
    way = choice.mode.name if choice else None
    report.add(
        model=network.model,
        batch=network.batch,
        seconds=result.to_dict(),
        torch_way=way,
        torch_trials=choice.trials if choice else {},
        difference=apart,
    )
    return [network.model, str(network.batch), *cells(result), way or "–"]
