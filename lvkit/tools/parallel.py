"""Parallel work: tasks on workers, pieces of one computation on threads, with the same numbers.

Folds of a hold-out, panels of a study and starts of a fit have nothing to do with one another, so
joblib may spread them over workers, under the backend that the user chose with
``joblib.parallel_config`` or :func:`lvkit.cluster.dask_cluster`. Each task computes on one thread
of linear algebra, wherever it runs: several would round differently, and would take the cores from
one another.

The pieces of one sum are too short for that: they stay in this process, on threads, which numpy
runs side by side while it works on its arrays.
"""

from __future__ import annotations

import os
import platform
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")


def run(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    n_jobs: int | None,
    *,
    threads: bool = False,
) -> Generator[Result, None, None]:
    """Yield what a function returns for each task, in the order of the tasks.

    Parameters
    ----------
    function : callable
        Of a task's entries; one that can be pickled.
    tasks : sequence of tuple
        Arguments, a tuple for each call. A single task is done in place.
    n_jobs : int, optional
        Workers; 1 does all in place, None leaves their number to the user's
        ``joblib.parallel_config``.
    threads : bool
        Whether threads are preferred to processes where the user has not chosen: for short tasks.

    Yields
    ------
    object
        The results, as soon as all earlier ones are there. Close the generator
        (``contextlib.closing``) if you may leave it early: tasks that wait are then dropped.

    Examples
    --------
    >>> list(run(pow, [(2, 3), (3, 2)], n_jobs=1))
    [8, 9]
    """
    if n_jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield _alone(function, task)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=n_jobs, prefer="threads" if threads else None,
                        return_as="generator")  # fmt: skip
    # Threads share one limit: without this one, the first task to end would lift it for the others.
    with _one_thread():
        found = parallel(delayed(_sent)(function, task, _process()) for task in tasks)
        try:
            for result in found:  # noqa: UP028  (which would close it before we can)
                yield result
        finally:
            _close(found)


def _close(found: Any) -> None:
    """Drop what still waits, without joblib's warning that results were computed for nobody."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.close()


def _sent(function: Callable[..., Result], task: tuple[Any, ...], home: str) -> Result:
    """Do one task that was sent here, from the process `home`."""
    if _process() == home:
        return function(*task)  # under the limit that `run` holds
    if threading.current_thread() is threading.main_thread():
        return _alone(function, task)
    _one_thread()  # for good: threads of a Dask worker share it, and the first to end must not
    return function(*task)  # lift it for the others


def _process() -> str:
    """Return what tells this process from those of other machines too."""
    return f"{platform.node()} {os.getpid()}"


def _alone(function: Callable[..., Result], task: tuple[Any, ...]) -> Result:
    """Do one task on one thread of linear algebra."""
    with _one_thread():
        return function(*task)


def _one_thread() -> Any:
    """Limit linear algebra to one thread, until the context that is returned ends."""
    import scipy.linalg  # noqa: F401  (what is not loaded cannot be limited)
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


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
