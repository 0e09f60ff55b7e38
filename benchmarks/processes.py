"""Starting one side in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent


class ChildError(Exception):
    """A process ended without a result."""


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run ``benchmarks.child`` and return its result, with ``elapsed``: seconds from its start to its result.

    Raises:
        ChildError: it gave none.
    """
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(environment or {})}
    command = [sys.executable, "-m", "benchmarks.child", *arguments]
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - this interpreter, with our own arguments
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        elapsed = time.perf_counter() - began
        _, errors = process.communicate()
    if process.returncode or not line:
        last = (errors.strip().splitlines() or ["no message"])[-1]
        raise ChildError(f"{' '.join(arguments)}: {last}")
    return {**json.loads(line), "elapsed": elapsed}
