"""Threads: the pieces of one computation, at once.

:mod:`lvkit.workers` spreads whole tasks over workers of the user's choice, other machines among
them. The pieces of one sum are too short for that: they stay in this process, on threads, which
numpy lets run side by side while it works on its arrays.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")


def thread_count(n_jobs: int | None) -> int:
    """Return how many threads a number of workers means on this machine.

    Parameters
    ----------
    n_jobs : int, optional
        As joblib has it: -1 for all cores, None for what ``joblib.parallel_config`` says. There
        are never more threads than the cores of this machine unless asked for by number.

    Examples
    --------
    >>> thread_count(1), thread_count(3)
    (1, 3)
    """
    if n_jobs is not None and n_jobs > 0:
        return n_jobs
    from joblib import effective_n_jobs

    return max(1, min(int(effective_n_jobs(n_jobs)), os.cpu_count() or 1))


def in_threads(
    function: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], count: int
) -> list[Result]:
    """Return what a function returns for each task, in the order of the tasks.

    Parameters
    ----------
    function : callable
        Of a task's entries.
    tasks : sequence of tuple
        Arguments, a tuple for each call.
    count : int
        Most threads; with 1 all is done in place.

    Returns
    -------
    list
        If a task fails, those that wait are dropped and its error is raised.

    Notes
    -----
    Threads take over what the caller told numpy to do about overflows (``numpy.errstate``).

    Examples
    --------
    >>> in_threads(pow, [(2, 3), (3, 2)], 2)
    [8, 9]
    """
    if count == 1 or len(tasks) < 2:
        return [function(*task) for task in tasks]
    settings = np.geterr()
    failed = threading.Event()

    def one(task: tuple[Any, ...]) -> Result | None:
        if failed.is_set():
            return None  # never returned to the caller, who gets the error
        try:
            with np.errstate(**settings):
                return function(*task)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(min(count, len(tasks))) as threads:
        waiting = [threads.submit(one, task) for task in tasks]
        try:
            return [future.result() for future in waiting]  # type: ignore[misc]
        finally:
            for future in waiting:
                future.cancel()
