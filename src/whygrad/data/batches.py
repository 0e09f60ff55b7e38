"""Batches, read and changed in the background while the one before is trained on."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Any

from whygrad.data.sources import Source
from whygrad.typing import Array

#: Threads that read; more only wait for each other, and for Python.
_MOST_THREADS = 8


def ahead(jobs: Iterable[Callable[[], Array]], *, threads: int | None = None) -> Generator[Array, None, None]:
    """Yield the results of jobs in their order, with a few of them under way at any time.

    At most two jobs for each thread are under way or waiting to be taken, so that memory does not grow with how
    many there are. What a job raises is raised where its result would have come. No thread is left when the
    iterator is closed.

    Args:
        jobs: what is to be computed.
        threads: how many compute; the number of cores, but at most 8, if left out.

    Example:
        >>> import numpy as np
        >>> [float(x) for x in ahead([lambda: np.float64(1), lambda: np.float64(2)])]
        [1.0, 2.0]
    """
    threads = threads or min(os.cpu_count() or 1, _MOST_THREADS)
    waiting: Iterator[Callable[[], Array]] = iter(jobs)
    with ThreadPoolExecutor(threads, thread_name_prefix="whygrad-data") as pool:
        under_way: deque[Future[Array]] = deque(pool.submit(job) for job in islice(waiting, 2 * threads))
        try:
            while under_way:
                result = under_way.popleft().result()
                for job in islice(waiting, 1):
                    under_way.append(pool.submit(job))
                yield result
        finally:
            for future in under_way:
                future.cancel()


def in_parts(images: Any, batch_size: int) -> Iterator[Array]:
    """Yield images in their order, a batch at a time; those of a source are read in the background.

    Args:
        images: (N, ...), an array or a source.
        batch_size: images at once; the last batch may be smaller. Nothing gives one empty batch.

    Example:
        >>> import numpy as np
        >>> [part.tolist() for part in in_parts(np.arange(3.0), 2)]
        [[0.0, 1.0], [2.0]]
    """
    starts = range(0, max(len(images), 1), batch_size)
    if not isinstance(images, Source):
        yield from (images[start : start + batch_size] for start in starts)
        return
    jobs = (lambda start=start: images[start : start + batch_size] for start in starts)
    with closing(ahead(jobs)) as parts:
        yield from parts
