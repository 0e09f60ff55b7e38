"""What PyTorch does to a backward pass in practice, each tried against the gradients that were just compared."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from whygrad.checking import Verdict
from whygrad.checking.report import Row
from whygrad.checking.time_limit import Limited
from whygrad.errors import CheckError
from whygrad.interop.torch.calling import Called, Tensors
from whygrad.interop.torch.gradients import Gradients, back, chosen, gradients

#: Differences that count as wrong, relative to a gradient's largest entry, as in ``whygrad.checking``.
_WRONG = 1e-7

#: How far apart the numbers of float32 are, relative to them.
_LAST_DIGIT = float(torch.finfo(torch.float32).eps)

#: When, and what gives the gradients as they should be and as they are then.
Trial = tuple[str, Callable[[], tuple[Gradients, Gradients]]]

_MARK_DIRTY = (
    "forward changes {} in place and does not say so, so that whoever uses it afterwards gets a wrong gradient: "
    "call ctx.mark_dirty({}), or work on a copy"
)
_KEPT = (
    "an input that is changed in place between forward and backward changes the gradient of {} without a word: "
    "save tensors with ctx.save_for_backward, not as attributes, and PyTorch says so"
)


class Habits:
    """The trials.

    Args:
        called: the function.
        tensors: where its gradients were compared, in float64.
        rows: what came of it; what is wrong already is left as it is.
        limited: watches how long a trial takes.
        seed: of ``dy``.
    """

    def __init__(self, called: Called, tensors: Tensors, rows: list[Row], limited: Limited, seed: int) -> None:
        self.called, self.tensors, self._rows, self._limited = called, tensors, rows, limited
        self.remarks: list[str] = []
        self.calls = 0
        self._rng = torch.Generator().manual_seed(seed)
        self._good = [row.name for row in rows if row.verdict.good]
        #: Those whose numbers are compared. Of ties another may win where memory is laid out otherwise.
        self._looked = {row.name: row for row in rows if row.verdict is Verdict.RIGHT}
        self._movable = True

    def rows(self) -> list[Row]:
        """Return the rows, wrong where a trial gave another gradient or failed."""
        if not self._good:
            return self._rows
        with torch.no_grad():
            ys = chosen(self.called, self.called.outputs(self.tensors))
        self._movable = not self.called.random  # numbers that are drawn fall in the order of memory
        self._dys = [self._random(y) for y in ys]
        self._base = gradients(self.called, self.tensors, self._dys)
        said = self._changed_inputs()
        trials = [*self._memory(), *self._demands()]
        if not self.called.by_hand:
            trials += [*self._state()]
        for name, sentence in self._in_float32().items():
            said.setdefault(name, sentence)
        for what, trial in trials:
            for name, sentence in self._tried(what, trial).items():
                said.setdefault(name, sentence)
        return [
            replace(row, verdict=Verdict.WRONG, findings=(said[row.name], *row.findings))
            if row.name in said
            else row
            for row in self._rows
        ]

    def _tried(self, what: str, trial: Callable[[], tuple[Gradients, Gradients]]) -> dict[str, str]:
        """Return a sentence for each gradient that a trial found wrong."""
        self.calls += 1
        try:
            expected, received = self._limited.wrap(what, trial)()
        except Exception as error:
            reason = str(error) if isinstance(error, CheckError) else _described(error)
            failed = f"{what}, it fails: {reason}"
            return dict.fromkeys(self._good, failed)
        differing = [n for n in received if n in self._looked and self._differs(n, expected[n], received[n])]
        return {name: f"{what}, it is another one: {_first(expected[name], received[name])}" for name in differing}

    def _differs(self, name: str, expected: torch.Tensor, received: torch.Tensor) -> bool:
        row = self._looked[name]
        largest = max((float(g.abs().max()) for g in (expected, self._base[name]) if g.numel()), default=0.0)
        measured = 0.0 if row.worst is None else row.worst.bound  # which is all that is known of a gradient of zero
        allowed = max(_WRONG * largest, 2 * row.bound * largest, 2 * measured)
        difference = (expected - received).abs()
        return bool((~(difference <= allowed)).any())

    def _memory(self) -> Iterator[Trial]:
        """Yield trials of other places in memory for the same numbers."""
        elsewhere = [("where inputs are not contiguous", _scattered)]
        if any(t.ndim == 4 for t in self.tensors.values()):
            elsewhere.append(("where images are channels_last", _channels_last))
        for what, lay in elsewhere if self._movable else []:
            yield what, partial(self._laid_out, lay)
        if any(dy.numel() > 1 for dy in self._dys):
            yield "where dy is not contiguous", self._scattered_dy
            yield "where dy is one number expanded over all entries, as after y.sum(),", self._expanded_dy

    def _scattered_dy(self) -> tuple[Gradients, Gradients]:
        return self._base, gradients(self.called, self.tensors, [_scattered(dy) for dy in self._dys])

    def _expanded_dy(self) -> tuple[Gradients, Gradients]:
        whole = [torch.ones_like(dy) for dy in self._dys]
        expanded = [dy.new_ones(()).expand(dy.shape) for dy in self._dys]
        return gradients(self.called, self.tensors, whole), gradients(self.called, self.tensors, expanded)

    def _laid_out(self, lay: Callable[[torch.Tensor], torch.Tensor]) -> tuple[Gradients, Gradients]:
        """Return the gradients, and those where the same numbers stand in memory in another way.

        Raises:
            CheckError: forward gives another value then.
        """
        moved = {name: lay(t) for name, t in self.tensors.items()}
        with torch.no_grad():
            pairs = zip(self.called.outputs(self.tensors), self.called.outputs(moved, copies=False), strict=True)
            same = [torch.allclose(y.double(), again.double(), rtol=1e-9, atol=1e-12) for y, again in pairs]
            if not all(same):
                remedy = "index tensors and do not rely on their strides, or call .contiguous() first"
                raise CheckError("forward", "the same value as for contiguous inputs", "another one", remedy)
        return self._base, gradients(self.called, moved, self._dys, copies=False)

    def _demands(self) -> Iterator[Trial]:
        """Yield trials in which only some of the gradients are asked for, or some outputs used."""
        if self.called.by_hand:
            return
        for name in self.tensors if len(self.tensors) > 1 else ():
            yield f"where only {name} requires a gradient", partial(self._one_input, name)
        for i in range(len(self._dys) if len(self._dys) > 1 else 0):
            yield f"where output {i + 1} of {len(self._dys)} is used alone", partial(self._one_output, i)

    def _one_input(self, name: str) -> tuple[Gradients, Gradients]:
        return self._base, gradients(self.called, self.tensors, self._dys, wanted={name})

    def _one_output(self, number: int) -> tuple[Gradients, Gradients]:
        zeros = [dy if i == number else torch.zeros_like(dy) for i, dy in enumerate(self._dys)]
        expected = gradients(self.called, self.tensors, zeros)
        return expected, gradients(self.called, self.tensors, self._dys, only=number)

    def _state(self) -> Iterator[Trial]:
        """Yield trials of what backward relies on: what was saved, and what others may have changed meanwhile."""
        yield "where backward is called a second time, with retain_graph", self._twice
        yield "where forward was called with other numbers before backward", self._after_another_call

    def _in_float32(self) -> dict[str, str]:
        """Return a sentence for each gradient that float32 gets wrong at two places: one may lie at a kink."""
        self.calls += 1
        nearby = {n: t + 1e-3 * self._random(t) * t.abs().mean() for n, t in self.tensors.items()}
        places = [self.tensors, nearby]
        try:
            found = [self._rounded(place) for place in places]
        except Exception as error:
            return dict.fromkeys(self._good, f"in float32 it fails: {_described(error)}")
        return {name: sentence for name, sentence in found[0].items() if name in found[1]}

    def _rounded(self, place: Tensors) -> dict[str, str]:
        """Return what float32 gets wrong at one place, beyond what it makes of the last digits of the inputs."""
        single = {name: t.float() for name, t in place.items()}
        exact = {name: t.double() for name, t in single.items()}
        dys = [dy.float() for dy in self._dys]
        with torch.no_grad():
            values = zip(self.called.outputs(single), self.called.outputs(exact), strict=True)
            same = all(torch.allclose(a.double(), b.double(), rtol=1e-2, atol=1e-3) for a, b in values)
        if self.called.random and not same:  # other numbers are drawn in float32
            return {}
        expected = gradients(self.called, exact, [dy.double() for dy in dys])
        received = gradients(self.called, single, dys)
        moved = {n: t * (1 + _LAST_DIGIT * self._random(t)) for n, t in exact.items()}
        nearby = gradients(self.called, moved, [dy.double() for dy in dys])
        overall = max((float(g.abs().max()) for g in expected.values() if g.numel()), default=0.0)
        found = {}
        for name in self._looked:
            right, claimed = expected[name], received[name].double()
            own = float(right.abs().max()) if right.numel() else 0.0
            condition = float((nearby[name] - right).abs().max()) if right.numel() else 0.0
            # Sums that cancel, such as that of a bias before a batch norm, are as exact as what cancels in them.
            allowed = 1e-3 * own + 1e-4 * overall + 100 * condition
            if bool((~((claimed - right).abs() <= allowed)).any()):
                found[name] = f"right in float64, and in float32 it is not: {_first(right, claimed)}"
        return found

    def _twice(self) -> tuple[Gradients, Gradients]:
        leaves = self.called.leaves(self.tensors)
        with torch.enable_grad():
            ys = chosen(self.called, self.called.outputs(leaves))
        back(ys, [dy.clone() for dy in self._dys], leaves, again=True)
        return self._base, back(ys, self._dys, leaves)

    def _after_another_call(self) -> tuple[Gradients, Gradients]:
        leaves = self.called.leaves(self.tensors)
        with torch.enable_grad():
            ys = chosen(self.called, self.called.outputs(leaves))
            others = {n: t + 0.1 * self._random(t) * t.abs().mean() for n, t in self.tensors.items()}
            self.called.outputs(self.called.leaves(others))
        return self._base, back(ys, self._dys, leaves)

    def _changed_inputs(self) -> dict[str, str]:
        """Return what is said of inputs and of dy that are changed by whom they do not belong to."""
        if self.called.by_hand:
            return {}
        leaves = self.called.leaves(self.tensors)
        with torch.enable_grad():
            raw = self.called.outputs(leaves)
            ys = chosen(self.called, raw)
        given = {n: self.called.given[n] for n in self.called.inputs}
        changed = [n for n, t in given.items() if not torch.equal(t.detach(), self.tensors[n])]
        dirty = [n for n in changed if any(given[n] is y for y in raw) or _has_new_history(given[n])]
        self._movable = self._movable and not changed
        dys = [dy.clone() for dy in self._dys]
        before = {n: given[n].detach().clone() for n in given}
        back(ys, dys, leaves)
        said = {n: _MARK_DIRTY.format(n, n) for n in changed if n not in dirty}
        if any(not torch.equal(a, b) for a, b in zip(dys, self._dys, strict=True)):
            said |= dict.fromkeys(self._good, _WRITES.format("dy, which belongs to its caller"))
        for n, was in before.items():
            if not torch.equal(was, given[n].detach()):
                said[n] = _WRITES.format(f"the input {n}")
        if not changed:
            self._remark_on_kept()
        return said

    def _remark_on_kept(self) -> None:
        """Change inputs in place after forward: PyTorch must object, or the gradients stay as they are."""
        self.calls += 1
        for moved in self.called.inputs:
            leaves = self.called.leaves(self.tensors)
            with torch.enable_grad():
                ys = chosen(self.called, self.called.outputs(leaves))
            with torch.no_grad():
                self.called.given[moved].add_(1.0 + self._random(self.tensors[moved]).abs())
            try:
                received = back(ys, self._dys, leaves)
            except Exception:  # noqa: S112  (a saved tensor was changed, and PyTorch or the function says so)
                continue
            differing = [n for n in received if n in self._looked and self._differs(n, self._base[n], received[n])]
            if differing:
                self.remarks.append(_KEPT.format(" and ".join(differing)))
                return

    def _random(self, like: torch.Tensor) -> torch.Tensor:
        drawn = torch.rand(like.shape, generator=self._rng, dtype=torch.float64) + 0.5
        signs = torch.randint(0, 2, like.shape, generator=self._rng) * 2 - 1
        return (drawn * signs).to(like)


_WRITES = "backward writes to {}: let it work on a copy"


def _has_new_history(given: torch.Tensor) -> bool:
    """Return whether autograd knows that a copy was changed in place: it is no mere copy any more."""
    return given.grad_fn is not None and "CloneBackward" not in type(given.grad_fn).__name__


def _scattered(t: torch.Tensor) -> torch.Tensor:
    """Return the same numbers with a gap after each and the axes stored in the other order."""
    if t.numel() < 2:
        return t
    shape = tuple(reversed(t.shape))
    room = t.new_full((*shape, 2), float("nan"))[..., 0]
    view = room.permute(*reversed(range(t.ndim)))
    view.copy_(t)
    return view


def _channels_last(t: torch.Tensor) -> torch.Tensor:
    return t.to(memory_format=torch.channels_last, copy=True) if t.ndim == 4 else t


def _first(expected: torch.Tensor, received: torch.Tensor) -> str:
    """Return where two gradients differ most, and by what."""
    difference = torch.nan_to_num((expected - received).abs(), nan=float("inf"))
    at = int(difference.reshape(-1).argmax())
    index = [int(i) for i in torch.unravel_index(torch.tensor(at), expected.shape)]
    was, becomes = (float(t.reshape(-1)[at]) for t in (expected, received))
    return f"{index or 'it'} is {becomes:.6g} instead of {was:.6g}"


def _described(error: BaseException) -> str:
    """Return an error with the line of somebody's own file in which it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not {"site-packages", "whygrad"} & set(Path(f.filename).parts)]
    line = f" (line {theirs[-1].lineno} of {Path(theirs[-1].filename).name})" if theirs else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{line}"
