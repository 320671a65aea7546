"""Pools: many jobs at once, in threads here or on a cluster.

Each job has a kernel of its own, which is a process, so here a thread that waits for it is enough.
Outcomes come as they are ready: one job that takes long, or fails, keeps no other back. Whoever
stops listening stops the jobs: kernels are killed and waited for, so that none is left behind.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from lvkit.batch.job import Job, Outcome, run_job

if TYPE_CHECKING:
    from lvkit.reporting.kernel import Halt


def run_jobs(
    jobs: Sequence[Job], n_jobs: int = 1, *, dask: str | None = None
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of jobs as they are ready.

    Parameters
    ----------
    jobs : sequence of Job
        What to run.
    n_jobs : int
        Kernels at once, here; on a cluster, it decides.
    dask : str, optional
        Address of a Dask scheduler; None to run here. Its cluster is in use already: listen inside
        the ``with`` block of :func:`lvkit.cluster.dask_cluster`.

    Yields
    ------
    Outcome
        Close the generator (``contextlib.closing``) to stop the jobs.

    Raises
    ------
    LvkitError
        If the machine cannot go on, or the cluster is lost.
    """
    if not jobs:
        return
    if dask is None:
        yield from _here(jobs, n_jobs)
    else:
        yield from _on_cluster(jobs, dask)


def _here(jobs: Sequence[Job], n_jobs: int) -> Generator[Outcome, None, None]:
    from concurrent.futures import ThreadPoolExecutor, as_completed

    from lvkit.reporting.kernel import Halt, HaltedError

    halt = Halt()
    pool = ThreadPoolExecutor(n_jobs, thread_name_prefix="lvkit-report")
    try:
        for future in as_completed([pool.submit(_in_thread, job, halt) for job in jobs]):
            if not isinstance(future.exception(), HaltedError):  # raised with its cause elsewhere
                yield future.result()
    except BaseException:
        halt.pull()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_thread(job: Job, halt: Halt) -> Outcome:
    """Do a job in a thread of its own, and close the event loop that Jupyter leaves open there.

    A job that cannot go on stops the others from here: none begins after it, even if the
    thread that collects the outcomes learns of it late.
    """
    import asyncio

    from jupyter_core.utils import ensure_event_loop

    halt.check()
    try:
        outcome = run_job(job, halt=halt)
        halt.check()  # the kernel may have been killed: its failure is not the notebook's
        return outcome
    except BaseException:
        halt.pull()
        raise
    finally:
        loop = ensure_event_loop()
        waiting = asyncio.all_tasks(loop)  # what a cell that was stopped has left
        for task in waiting:
            task.cancel()
        if waiting:
            loop.run_until_complete(asyncio.wait(waiting, timeout=1.0))
        loop.close()
        asyncio.set_event_loop(None)


def _on_cluster(jobs: Sequence[Job], address: str) -> Generator[Outcome, None, None]:
    from joblib import Parallel, delayed

    from lvkit.cluster import telling_losses

    with telling_losses(address):
        parallel = Parallel(n_jobs=-1, batch_size=1, return_as="generator_unordered")
        found: Any = parallel(delayed(run_job)(job) for job in jobs)
        try:
            yield from found
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that results were computed for nobody
                found.close()
