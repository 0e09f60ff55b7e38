"""``explain``: asks a traced network where any of its numbers comes from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from whygrad.errors import OptionError
from whygrad.explanation.differences import of_parameter, of_value
from whygrad.explanation.entry import Explanation, Part
from whygrad.explanation.reasons import why_zero
from whygrad.explanation.terms import Term, rule
from whygrad.explanation.terms.rule import MINUS_ONE
from whygrad.explanation.trace import LOSS, Convention, Layered, Trace, Use, trace
from whygrad.explanation.updates import update_part
from whygrad.layers import Layer
from whygrad.losses import cross_entropy
from whygrad.optim import Optimizer
from whygrad.optim.optimizer import OptimizerState
from whygrad.typing import Array, Loss, Params


def explain(
    model: Layer,
    params: Params,
    x: Array | tuple[Array, ...],
    target: Any,
    *,
    loss: Loss = cross_entropy,
    training: bool = False,
    seed: int = 0,
    convention: Convention = "gradient",
) -> Explainer:
    """Trace one forward and backward pass, whose every number can then be asked where it comes from.

    Everything is computed in float64. The sums that are shown are added up anew from the terms; that they equal
    what the network computed, and its finite difference, is looked at and said each time.

    Args:
        model: the network, of any nesting of ``Sequential``, ``Residual`` and ``Graph``.
        params: its parameters by name.
        x: a batch, or a tuple of batches for a network of several inputs.
        target: what the loss takes.
        loss: gives E and its gradient.
        training: whether batch norm uses the batch's statistics and dropout draws masks.
        seed: of the masks.
        convention: "gradient" for δ = ∂E/∂z; "hertz" for δ = −∂E/∂z, with which updates add.

    Raises:
        OptionError: parameters that are missing, or an unknown convention.
        ShapeError: arrays that do not fit the model.

    Example:
        >>> from whygrad.layers import Conv2d, ReLU, Sequential
        >>> from whygrad.losses import half_squared_error
        >>> model = Sequential(conv1=Conv2d(1, 1, 2, bias=False), relu1=ReLU())
        >>> x = np.array([[1., -1., 0.], [0., 1., 0.], [0., -1., 1.]])[None, None]
        >>> target = np.array([[1., 0.], [0., 1.]])[None, None]
        >>> params = {"conv1.weight": np.array([[1., -1.], [1., 1.]])[None, None]}
        >>> e = explain(model, params, x, target, loss=half_squared_error)
        >>> weight = e.parameter("conv1.weight", 0, 0, 0, 1)
        >>> weight.sum, weight.computed, round(weight.difference.value, 6), weight.agrees
        (-2.0, -2.0, -2.0, True)
        >>> weight.sentence
        'This weight was used at 4 positions; only 1 of the 4 carries gradient.'

    Source: D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning representations by back-propagating
    errors" (1986).
    """
    traced = trace(model, params, x, target, loss=loss, training=training, seed=seed, convention=convention)
    return Explainer(traced)


class Explainer:
    """A traced network: ask it for an activation, a delta, a parameter's gradient, an update or the loss."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def activation(self, layer: str, *index: int) -> Explanation:
        """Explain one entry of a layer's value: which inputs times which weights.

        Args:
            layer: a layer's name, or "input".
            index: the entry, as (n, c, i, j).
        """
        value = _look_up("layer", layer, self.trace.values)
        at = _checked(layer, index, value.array.shape)
        computed = float(value.array[at])
        subject = _written(layer, at)
        if layer not in self.trace.calls:
            return Explanation("activation", subject, computed, (), sentence="This number is the network's input.")
        return Explanation("activation", subject, computed, (self._part(layer, "y", at),))

    def delta(self, layer: str, *index: int) -> Explanation:
        """Explain one entry of δ, the gradient of E with respect to a layer's value: the sum over what it fed."""
        value = _look_up("layer", layer, self.trace.values)
        at = _checked(layer, index, value.array.shape)
        subject = self._gradient_of(_written(layer, at))
        if value.delta is None:
            sentence = "The loss does not depend on this number."
            return Explanation("delta", subject, 0.0, (), convention=self.trace.convention, sentence=sentence)
        computed = float(value.delta[at])
        parts = self._parts(value.uses, at)
        found = of_value(self.trace, layer, at, computed)
        return self._of("delta", subject, computed, parts, found)

    def parameter(self, name: str, *index: int) -> Explanation:
        """Explain one entry of a parameter's gradient: the sum over every place where the number was used."""
        uses = _look_up("parameter", name, self.trace.uses)
        at = _checked(name, index, self.trace.params[name].shape)
        if name not in self.trace.gradients:
            trained = ", ".join(self.trace.gradients)
            remedy = "running statistics are no parameters: they follow the batches"
            raise OptionError("explain", f"a trained parameter among {trained}", repr(name), remedy)
        computed = float(self.trace.gradients[name][at])
        parts = self._parts(uses, at)
        found = of_parameter(self.trace, name, at, computed)
        return self._of("parameter", self._gradient_of(_written(name, at)), computed, parts, found)

    def update(
        self, name: str, *index: int, optimizer: Optimizer, state: OptimizerState | None = None
    ) -> Explanation:
        """Explain one entry of a parameter after the optimiser's next step.

        Args:
            name: the parameter.
            index: the entry.
            optimizer: an SGD, Adam, AdamW or RMSprop.
            state: its state before the step; that of its first step if None.
        """
        gradient = self.parameter(name, *index)
        at = _checked(name, index, self.trace.params[name].shape)
        part, computed = update_part(self.trace, name, at, optimizer, state)
        return Explanation(
            "update",
            f"new {_written(name, at)}",
            computed,
            (part,),
            convention=self.trace.convention,
            sentence=part.words,
            details={"gradient": gradient.to_dict()},
        )

    def error(self) -> Explanation:
        """Explain the loss E."""
        return Explanation("loss", "E", self.trace.error, (self._part(LOSS, "y", ()),))

    def ask(self, kind: str, text: str, **options: Any) -> Explanation:
        """Explain what a text such as ``conv1.weight[0,0,1,1]`` names, as ``--weight`` does on the command line.

        Args:
            kind: "parameter", "activation", "delta" or "update".
            text: a name, and an index in brackets.
            options: for "update", its optimiser.
        """
        name, index = parse(text)
        return getattr(self, kind)(name, *index, **options)

    def _gradient_of(self, written: str) -> str:
        return f"{'−' if self.trace.sign < 0 else ''}∂E/∂{written}"

    def _of(self, kind: Any, subject: str, computed: float, parts: tuple[Part, ...], found: Any) -> Explanation:
        """Join the parts of a gradient."""
        sentences = [part.words for part in parts if part.words]
        if len(parts) > 1:
            sentences = [
                f"It was used {len(parts)} times, and the gradients of its uses add up.",
                *(f"In {part.call}: {part.words}" for part in parts if part.words),
            ]
        return Explanation(kind, subject, computed, parts, found, self.trace.convention, " ".join(sentences))

    def _parts(self, uses: Iterable[Use], at: tuple[int, ...]) -> tuple[Part, ...]:
        live = [use for use in uses if use.call == LOSS or self.trace.calls[use.call].call.gradients]
        return tuple(self._part(use.call, f"d{use.argument}", at) for use in live)

    def _part(self, name: str, array: str, at: tuple[int, ...]) -> Part:
        layered = self.trace.calls[name]
        if not layered.known:
            kind = "loss" if name == LOSS else "layer"
            expected = f"a {kind} that is one of whygrad's own"
            remedy = "its gradient can still be checked: whygrad.check_model compares it with finite differences"
            raise OptionError("explain", expected, f"{layered.call.op} ({name})", remedy)
        found = rule(layered.call.op, array)
        terms: list[Term] = list(found.terms(layered.call, *at))
        words = found.words(layered.call, at, terms)
        if array != "y":
            words = _reasoned(self.trace, layered, terms, words)
        if array == "dz" and self.trace.sign < 0:
            terms = [Term((MINUS_ONE, *term.factors), term.note) for term in terms]
        symbol = "E" if name == LOSS and array == "y" else _written(array, at)
        bindings = {**layered.bindings}
        return Part(name, layered.call.op, symbol, found.formula, found.where, bindings, tuple(terms), words)


def _reasoned(trace: Trace, layered: Layered, terms: list[Term], words: str) -> str:
    """Add to a sentence why gradient is missing at some of the places."""
    silent = [
        cell.index
        for term in terms
        for cell in (term.factors[0].cells if term.factors else ())
        if cell.array == "dy" and term.factors[0].value == 0
    ]
    reasons = why_zero(trace, layered.name, silent) if silent and layered.name != LOSS else ""
    if not reasons:
        return words
    if words.endswith(("gradient.", "arrives.")) or "arrives at" in words:
        return f"{words.removesuffix('.')}: {reasons}."
    return f"{words} No gradient arrives: {reasons}.".strip()


def parse(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the name and the index in ``conv1.weight[0,0,1,1]``.

    Example:
        >>> parse("conv1.weight[0, 0, 1, 1]")
        ('conv1.weight', (0, 0, 1, 1))
    """
    name, bracket, rest = text.strip().partition("[")
    numbers = rest.removesuffix("]").split(",") if rest.strip("] ") else []
    try:
        index = tuple(int(number) for number in numbers)
    except ValueError:
        index = None
    if index is None or (bracket and not rest.endswith("]")):
        expected = "a name with an index in brackets, as in conv1.weight[0,0,1,1]"
        raise OptionError("explain", expected, repr(text), "write whole numbers, counted from 0")
    return name.strip(), index


def _look_up(kind: str, name: str, known: Mapping[str, Any]) -> Any:
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    remedy = f"did you mean {' or '.join(close)}?" if close else "check the spelling"
    listed = list(known)
    shown = ", ".join(listed[:20]) + (f" and {len(listed) - 20} more" if len(listed) > 20 else "")
    raise OptionError("explain", f"a {kind} among {shown}", repr(name), remedy)


def _checked(name: str, index: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return an index as whole numbers, refusing what is out of range."""
    ranges = ",".join(f"0..{size - 1}" for size in shape)
    whole = all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in index)
    if not whole or len(index) != len(shape) or any(not 0 <= i < n for i, n in zip(index, shape, strict=True)):
        received = f"{name}[{','.join(map(str, index))}]"
        raise OptionError("explain", f"an index within {name}[{ranges}]", received, "change the index")
    return tuple(int(i) for i in index)


def _written(name: str, at: tuple[int, ...]) -> str:
    return f"{name}[{','.join(map(str, at))}]" if at else name
