"""Where compiled kernels are kept, from one process to the next."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
import platformdirs
from numba.core.registry import cpu_target

from whygrad.clock import held

LOG = logging.getLogger("whygrad")
_announced = False


def compiled(name: str, real: str, make: Callable[[bool], Any]) -> Any:
    """Return ``make(cache)``, a compiled object, from the cache where that works and afresh where it does not.

    The first one that has to be compiled is announced in the log, since it takes its time.
    """
    global _announced
    if not (_announced or is_ready(name, real)):
        _announced = True
        LOG.warning("compiling kernels, once on this machine; the command `whygrad warmup` compiles all ahead")
    with held(), _caching(real) as folder:
        try:
            made = make(folder is not None)
            if folder is not None:
                (folder / f"{name}.ready").touch()
        except Exception as error:
            if folder is None:
                raise
            made = make(False)  # an error of the kernel itself comes again here
            if isinstance(error, OSError):
                _warn(f"cannot keep compiled kernels in {folder} ({error.strerror or error})")
            else:  # damaged files, which the next process is not to meet
                shutil.rmtree(folder, ignore_errors=True)
    return made


def is_ready(name: str, real: str) -> bool:
    """Return whether an earlier process has compiled this."""
    folder = cache_folder()
    return folder is not None and (folder / real / f"{name}.ready").exists()


@contextmanager
def _caching(real: str) -> Iterator[Path | None]:
    """Point Numba's cache at the project's folder for a float type, and yield it; None if none can be written."""
    root = cache_folder()
    if root is None:
        yield None
        return
    folder = root / real
    folder.mkdir(parents=True, exist_ok=True)
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(folder)
    try:
        yield folder
    finally:
        numba.config.CACHE_DIR = before


@cache
def cache_folder() -> Path | None:
    """Return the folder of compiled kernels, made if need be; None, with a warning, where none can be written.

    It is $WHYGRAD_CACHE_DIR, else the user's cache folder, and in it a folder named after the kernels' sources and
    the processor: Numba itself compares a cached function with its own file alone, not with those it is built from.
    """
    try:
        given = os.environ.get("WHYGRAD_CACHE_DIR")
        root = Path(given) if given else Path(platformdirs.user_cache_dir("whygrad", appauthor=False))
        folder = root / f"kernels-{_fingerprint()}"
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError) as error:
        _warn(f"cannot keep compiled kernels ({error})")
        return None
    if new:
        _remove_old(root, keep=folder)
    return folder


def _fingerprint() -> str:
    target = cpu_target.target_context.codegen().magic_tuple()
    digest = hashlib.sha256(repr((numba.__version__, target)).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _remove_old(root: Path, keep: Path, days: float = 14) -> None:
    """Delete folders of kernels that nobody has added to for some time; whoever needs one compiles it again."""
    for folder in root.glob("kernels-*"):
        with suppress(OSError):
            if folder != keep and time.time() - folder.stat().st_mtime > days * 86400:
                shutil.rmtree(folder, ignore_errors=True)


def _warn(text: str) -> None:
    remedy = "they are compiled anew in every process; set WHYGRAD_CACHE_DIR to a folder that can be written"
    warnings.warn(f"whygrad: {text}: {remedy}", RuntimeWarning, stacklevel=2)
