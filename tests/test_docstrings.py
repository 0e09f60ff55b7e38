"""Every example in a docstring runs, and every public name has a docstring."""

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import whygrad
from whygrad import DependencyError

MODULES = sorted(
    m.name for m in pkgutil.walk_packages(whygrad.__path__, "whygrad.") if m.name != "whygrad.__main__"
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    try:
        module = importlib.import_module(name)
    except DependencyError as missing:
        pytest.skip(str(missing))
    if name.startswith("whygrad.interop.onnx"):
        pytest.importorskip("onnx")  # which is imported when it is needed, not with the module
    outcome = doctest.testmod(module, extraglobs={"np": np, "whygrad": whygrad})
    assert outcome.failed == 0


def test_there_are_examples_to_run():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [
        t
        for name in MODULES
        if ".interop" not in name
        for t in finder.find(importlib.import_module(name))
        if t.examples
    ]
    assert len(found) > 60


@pytest.mark.parametrize(
    "wing",
    ["ops", "losses", "layers", "models", "optim", "data", "training", "checking", "initializers", "diagnosis"],
)
def test_every_public_function_and_class_is_documented(wing):
    module = importlib.import_module(f"whygrad.{wing}")
    for name in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")]):
        thing = getattr(module, name)
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert inspect.getdoc(thing), f"{wing}.{name}"
