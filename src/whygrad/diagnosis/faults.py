"""What may be wrong in a network: every mistake of every layer, and layers that take each other's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from whygrad.diagnosis.catalogue import Mistake, mistake
from whygrad.diagnosis.chains import BY_OUTPUT, Chain
from whygrad.diagnosis.mistakes import changes as c
from whygrad.diagnosis.mistakes.losses import loss_mistakes
from whygrad.diagnosis.registry import subject

#: All gradients one after the other, which one fault has to explain together.
ALL = "all parameters"


def generic(names: Sequence[str]) -> list[Mistake]:
    """Return what can be said of a parameter's gradient whatever the network is."""
    found = []
    for name in names:
        bias = name.lower().lstrip("_").startswith(("b", "bias"))
        label = "missing_bias_gradient" if bias else "layer_not_trained"
        also = "weight_gradient_zero dx_not_propagated" + (
            "" if label == "layer_not_trained" else " layer_not_trained"
        )
        found += [
            mistake(label, name, "out", c.zeros, "is 0 everywhere: it was never computed",
                    "compute it and return it", also=also),
            mistake("weight_gradient_transposed", name, "out", c.transposed(), "comes out transposed", f"{name}.T"),
            mistake("kernel_gradient_flipped", name, "out", c.flipped(-2, -1), "comes out rotated by 180 degrees",
                    f"np.flip(d{name}, (-2, -1))", rank=1),
            mistake("sign_error", name, "out", c.absolute, "has lost its signs", "leave out np.abs", rank=3),
            mistake("clipping_in_gradient", name, "out", c.clipped, "is clipped to −1 ... 1",
                    "leave clipping to the update", rank=3),
            mistake("returns_wrong_variable", name, "whole", lambda p, name=name: p[name],
                    "is the parameter itself", "return its gradient",
                    also="update_uses_wrong_variable"),
        ]  # fmt: skip
        found += [
            mistake("wrong_layer_gradient", name, "whole", lambda p, other=other: p.right[other],
                    f"is the gradient of {other}", f"compute that of {name}",
                    also="returns_wrong_variable", rank=1)
            for other in names if other != name
        ]  # fmt: skip
    return found


def faults(chain: Chain, names: Sequence[str]) -> list[Mistake]:
    """Return every mistake of every stage, each about all parameters together and about each alone."""
    outputs = (ALL, *names)
    found: list[Mistake] = []
    for k, stage in enumerate(chain.stages):
        where = _place(chain, k)
        if stage.kind == "add":
            found += _skipped(chain, k, outputs)
            continue
        found += _other_slopes(chain, k, outputs)
        wanted = [f"d{role}" for role in stage.params]
        if any("w" in s.params for s in chain.stages[:k]):
            wanted.append("dx")
        for output in wanted:
            touched = outputs if output == "dx" else (ALL, stage.params[output[1:]])
            for m in stage.subject.of(output):
                what = f"going back through {where}, what is passed on " if output == "dx" else ""
                does = f"is wrong: {what or 'it '}{m.does}"
                found.append(replace(m, outputs=touched, joint=f"{k}.{output}", value=m, does=does))
        found += _mixed(chain, k)
    found += _everywhere(chain, outputs)
    end = "the loss"
    found += [
        Mistake(m.label, outputs, "end", m, f"is wrong: the delta at {end} {m.does}", m.fix, m.also, m.lesson,
                m.rank)
        for m in loss_mistakes() if m.label not in ("weight_gradient_zero", "axis_wrong")
    ]  # fmt: skip
    return found


def _skipped(chain: Chain, k: int, outputs: Sequence[str]) -> list[Mistake]:
    """Return what goes wrong where a layer's input is added to its output, or a block's: two paths to go back."""
    stage = chain.stages[k]
    first = stage.options["input of"]
    found = []
    for output, path in (("da", "through the layers"), ("db", f"round them, to what enters the layer of {first}")):
        for m in stage.subject.of(output):
            does = f"is wrong: at {_place(chain, k)}, what is passed on {path}, {m.does}"
            if m.label != "dx_not_propagated":
                found.append(replace(m, outputs=tuple(outputs), joint=f"{k}.{output}", value=m, does=does))
    left_out = mistake("skip_connection_missing", "db", "whole", lambda p: 0 * p.dy, "is left out")
    found.append(mistake("skip_connection_missing", tuple(outputs), f"{k}.db", left_out,
                         f"is wrong: at {_place(chain, k)}, the path round its layers is left out",
                         "delta = delta + delta_through_the_layers", also="dx_not_propagated"))  # fmt: skip
    return found


def _other_slopes(chain: Chain, k: int, outputs: Sequence[str]) -> list[Mistake]:
    """Return derivatives that are written with an output, and taken at the output of another stage."""
    if chain.stages[k].kind not in BY_OUTPUT:
        return []
    where = _place(chain, k)
    return [
        mistake("activation_derivative_of_wrong_tensor", tuple(outputs), f"slope {k}", j,
                f"is wrong: going back through {where}, f′ is taken at the output of {_place(chain, j)}",
                "f′ with this activation's own output", also="wrong_layer_gradient", rank=1)
        for j in range(len(chain.stages)) if j != k
    ]  # fmt: skip


def _everywhere(chain: Chain, outputs: Sequence[str]) -> list[Mistake]:
    """Return mistakes that all stages of a kind have, since they call the same function."""
    found = []
    for kind in dict.fromkeys(stage.kind for stage in chain.stages):
        stages = [k for k, stage in enumerate(chain.stages) if stage.kind == kind]
        if len(stages) < 2:
            continue
        for output in [f"d{role}" for role in chain.stages[stages[0]].params] + ["dx"]:
            what = "what is passed on " if output == "dx" else "it "
            for m in subject(kind).of(output):
                does = f"is wrong: going back through every {kind}, {what}{m.does}"
                found.append(replace(m, outputs=tuple(outputs), joint=f"every {kind}.{output}", value=m, does=does))
    return found


def _place(chain: Chain, k: int) -> str:
    """Return the name of a stage as a person may know it."""
    stage = chain.stages[k]
    if stage.params:
        return f"the layer of {stage.params['w']}"
    before = [s.params["w"] for s in chain.stages[:k] if "w" in s.params]
    return f"{stage.kind} after {before[-1]}" if before else stage.kind


def _mixed(chain: Chain, k: int) -> list[Mistake]:
    """Return gradients made from another layer's delta or from another layer's input."""
    stage, found = chain.stages[k], []
    if not stage.params:
        return []
    for j in range(len(chain.stages)):
        for role, name in stage.params.items():
            touched = (ALL, name)
            if j != k:
                found.append(mistake("wrong_layer_gradient", touched, f"mixed {k}{role}", (k, ("x", role), k, j),
                                     f"is made from the delta of {_place(chain, j)}",
                                     "use this layer's own delta",
                                     also="missing_activation_derivative" if abs(j - k) == 1 else ""))  # fmt: skip
        if "w" in stage.params:
            touched = (ALL, stage.params["w"])
            found.append(mistake("output_used_instead_of_input", touched, f"mixed {k}w", (k, ("dot", "w"), j, k),
                f"is the dot product of its delta with the output of {_place(chain, j)}: one number in all entries",
                                 "dw = np.outer(input, delta)", also="dot_in_place_of_outer", rank=1))  # fmt: skip
            for what in ("x", "y"):
                if (j, what) not in ((k, "x"), (k - 1, "y")):
                    label = "output_used_instead_of_input" if j >= k else "wrong_layer_gradient"
                    noun = "output" if what == "y" else "input"
                    found.append(mistake(label, touched, f"mixed {k}w", (k, (what, "w"), j, k),
                        f"is made from the {noun} of {_place(chain, j)} in place of this layer's input",
                                         "use this layer's own input", also="output_used_instead_of_input "
                                         "wrong_layer_gradient activation_derivative_of_wrong_tensor",
                                         rank=1))  # fmt: skip
    return found
