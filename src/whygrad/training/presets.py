"""Recipes that suit a data set, by its name."""

from __future__ import annotations

from typing import Any

from whygrad.errors import OptionError

#: What every data set has: a quick recipe, and one that takes longer and does better.
RECIPES = ("default", "best")

_LONGER: dict[str, Any] = {"model": "vgg_slim", "epochs": 12, "batch_size": 128, "learning_rate": 0.2}
_QUICK: dict[str, Any] = {"model": "compact_cnn", "epochs": 4, "batch_size": 64}

#: By data set and recipe: the choices that differ from those of ``Recipe``.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "digits": {"default": {}, "best": {"label_smoothing": 0.1, "epochs": 40}},
    "mnist": {"default": _QUICK, "best": _LONGER | {"augment": "shift=2"}},
    "fashion-mnist": {"default": _QUICK, "best": _LONGER | {"augment": "flip"}},
    "kmnist": {"default": _QUICK | {"epochs": 6}, "best": _LONGER | {"augment": "shift=2, rotate=8"}},
    "cifar10": {
        "default": {"model": "compact_cnn", "epochs": 8, "batch_size": 64, "augment": "flip"},
        "best": {"model": "resnet20", "epochs": 60, "batch_size": 128, "augment": "shift=4, flip"},
    },
}

#: For images that a person brings. What may be done to them without changing what they show, only the person knows.
OWN: dict[str, dict[str, Any]] = {
    "default": {"model": "compact_cnn", "epochs": 40},
    "best": {"model": "compact_cnn", "epochs": 80, "augment": "shift=3, rotate=10"},
}


def preset(data: str, recipe: str) -> dict[str, Any]:
    """Return the choices of a recipe for a data set, a name or a path.

    Raises:
        OptionError: there is no such recipe.

    Example:
        >>> preset("digits", "best")["label_smoothing"]
        0.1
    """
    if recipe not in RECIPES:
        raise OptionError("recipe", f"one of {', '.join(RECIPES)}", repr(recipe), "check the spelling")
    return PRESETS.get(data, OWN)[recipe]
