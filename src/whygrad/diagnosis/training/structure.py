"""Parameters in any nesting of dictionaries, lists and tuples, and the same by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flattened(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested dictionaries, lists and tuples by name.

    Example:
        >>> flattened({"conv": [1.0, 2.0], "fc": {"w": 3.0}})
        {'conv.0': 1.0, 'conv.1': 2.0, 'fc.w': 3.0}
    """
    if isinstance(tree, Mapping):
        items = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, tuple | list):
        items = [(str(i), value) for i, value in enumerate(tree)]
    else:
        return {prefix or "params": tree}
    found: dict[str, Any] = {}
    for key, value in items:
        found |= flattened(value, f"{prefix}.{key}" if prefix else key)
    return found


def nested(tree: Any, values: Mapping[str, Any], prefix: str = "") -> Any:
    """Return values by name in the nesting of a tree.

    Example:
        >>> nested({"conv": [0, 0], "fc": {"w": 0}}, {"conv.0": 1.0, "conv.1": 2.0, "fc.w": 3.0})
        {'conv': [1.0, 2.0], 'fc': {'w': 3.0}}
    """
    if isinstance(tree, Mapping):
        return {
            key: nested(value, values, f"{prefix}.{key}" if prefix else str(key)) for key, value in tree.items()
        }
    if isinstance(tree, tuple | list):
        parts = [nested(value, values, f"{prefix}.{i}" if prefix else str(i)) for i, value in enumerate(tree)]
        return parts if isinstance(tree, list) else tuple(parts)
    return values[prefix or "params"]
