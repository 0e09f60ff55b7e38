"""Files from the network: from whichever mirror answers, resumed, checked, and whole or not there."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

from whygrad.errors import FileError

Progress = Callable[[int, int, str], None]

_TIMEOUT = 20.0  #: seconds without a byte
_ATTEMPTS = 3  #: at one mirror, each going on where the one before broke off
_PIECE = 1 << 13  #: bytes at once; what is not a whole piece is lost when a connection breaks


class File(NamedTuple):
    """A file that is known by its hash."""

    name: str
    sha256: str
    size: int  #: bytes


class _RefusedError(Exception):
    """A mirror that does not have the file, or gives another one."""


def fetch(file: File, mirrors: Sequence[str], folder: Path, *, progress: Progress | None = None) -> Path:
    """Return the path of a file in ``folder``, downloading it if it is not there.

    What is there is believed only if its hash is right. One process at a time downloads a file; the others wait
    for it. What was downloaded when a connection broke is kept, under another name, and gone on from.

    Args:
        file: which file.
        mirrors: addresses of folders, ending in "/", tried in this order.
        folder: where it is kept.
        progress: told the bytes that are there, of how many, and the name.

    Raises:
        FileError: no mirror gave the file, or it cannot be kept.
    """
    path = folder / file.name
    try:
        if is_whole(path, file):
            return path
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f".{file.name}.lock"):
            if is_whole(path, file):  # another process was quicker
                return path
            _download(file, mirrors, path, progress)
    except OSError as error:
        remedy = "free some space, or choose another folder with WHYGRAD_CACHE_DIR"
        raise FileError(str(folder), f"room for {file.name}", error.strerror or str(error), remedy) from None
    return path


def is_whole(path: Path, file: File) -> bool:
    """Tell whether the file at ``path`` is the one that is meant."""
    import pooch  # noqa: PLC0415  (only who downloads needs it)

    return path.is_file() and path.stat().st_size == file.size and pooch.file_hash(str(path)) == file.sha256


def _download(file: File, mirrors: Sequence[str], path: Path, progress: Progress | None) -> None:
    import pooch  # noqa: PLC0415
    import requests  # noqa: PLC0415

    pooch.get_logger().setLevel(logging.WARNING)
    reasons = []
    for mirror in mirrors:
        for _ in range(_ATTEMPTS):
            downloader = _Resuming(file, path.with_name(f".{file.name}.part"), progress)
            try:
                pooch.retrieve(mirror + file.name, file.sha256, path.name, path.parent, downloader=downloader)
            except _RefusedError as error:
                reasons.append(f"{mirror} {error}")
                break
            except ValueError:  # from pooch: the hash is wrong
                if not downloader.resumed:  # otherwise what an earlier download left may have been at fault
                    reasons.append(f"{mirror} gave other contents")
                    break
            except requests.RequestException as error:
                broken = f"{mirror} could not be reached ({type(error).__name__})"
                if not downloader.gained:
                    reasons.append(broken)
                    break
            else:
                return
        else:
            reasons.append(f"{mirror} broke off {_ATTEMPTS} times")
    received = "; ".join(reasons)
    raise FileError(file.name, "a mirror that gives it", received, f"put the file into {path.parent}")


class _Resuming:
    """A downloader for pooch that goes on with what an earlier one left.

    Args:
        file: what is downloaded.
        part: where it grows.
        progress: told how far it is.
    """

    def __init__(self, file: File, part: Path, progress: Progress | None) -> None:
        self.file, self.part, self.progress = file, part, progress
        self.gained = 0  #: bytes that came
        self.resumed = False  #: whether there were some before them

    def __call__(self, url: str, output: str, _: Any) -> None:
        """Download to ``output``, which pooch then checks and renames."""
        import requests  # noqa: PLC0415

        there = self.part.stat().st_size if self.part.exists() else 0
        if there >= self.file.size:
            self.part.unlink()
            there = 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if response.status_code not in (requests.codes.ok, requests.codes.partial):
                raise _RefusedError(f"answered {response.status_code}")
            partial = response.status_code == requests.codes.partial
            goes_on = partial and _begins_at(response, there)
            if partial and not goes_on:
                self.part.unlink(missing_ok=True)
                raise _RefusedError("went on at the wrong place")
            self.resumed = goes_on
            self._write(response, there if goes_on else 0)
        if self.part.stat().st_size < self.file.size:
            raise requests.ConnectionError("the connection was closed early")
        self.part.replace(output)

    def _write(self, response: Any, there: int) -> None:
        try:
            with self.part.open("ab" if there else "wb") as part:
                for piece in response.iter_content(_PIECE):
                    part.write(piece)
                    self.gained += len(piece)
                    if there + self.gained > self.file.size:
                        break
                    if self.progress is not None:
                        self.progress(there + self.gained, self.file.size, self.file.name)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self.part.unlink(missing_ok=True)  # whoever has no room has none for a part either
            raise
        if there + self.gained > self.file.size:
            self.part.unlink()
            raise _RefusedError("gave a longer file")


def _begins_at(response: Any, there: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {there}-")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from downloading the same file; the lock ends with the process, however it ends."""
    if fcntl is None:
        yield
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        with suppress(OSError):
            os.close(handle)
