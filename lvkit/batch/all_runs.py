"""All runs of a batch: in this process, in worker processes or on a cluster.

Runs that are there and unchanged are set aside. The others run side by side, each in a thread that
waits for a kernel of its own, or on a cluster, and each is stored as soon as it is ready: one run
that takes long, or fails, keeps no other back. The index and the manifest are written on the way
and at the end, whatever the end is: done, a full disk, or the user's Ctrl-C.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lvkit.batch.index import Batch, index_page, manifest_text
from lvkit.batch.notebook import CACHE, Source, as_json
from lvkit.batch.one_run import Executor, Making, Run, make, now, require_jupyter, scalars
from lvkit.batch.report_folder import ReportFolder
from lvkit.batch.store import ASIDE, Store, content_key, data_digests, data_of, versions
from lvkit.errors import LvkitError
from lvkit.tools.progress import ProgressChoice, progress_bar

if TYPE_CHECKING:
    from lvkit.batch.kernel import Halt

# How often the index of a batch at work is written, in seconds.
_OFTEN = 5.0


class Runner:
    """Makes runs of one notebook and puts them where they belong.

    Parameters
    ----------
    source : Source
        The notebook.
    runs : sequence of Run
        The planned runs.
    store : Store or ReportFolder
        Where to: the folder of a batch, or that of a single report.
    n_jobs : int
        Kernels at once.
    timeout : int, optional
        Seconds that a cell may take.
    code : bool
        Whether pages show the code.
    dask : str, optional
        Address of a Dask scheduler.
    execute : Executor, optional
        What executes the notebook; None for a Jupyter kernel.
    """

    def __init__(
        self,
        source: Source,
        runs: Sequence[Run],
        store: Store | ReportFolder,
        *,
        n_jobs: int = 2,
        timeout: int | None = None,
        code: bool = False,
        dask: str | None = None,
        execute: Executor | None = None,
    ) -> None:
        self.source, self.store, self.n_jobs, self.dask = source, store, n_jobs, dask
        self.making = Making(source.text, code, timeout, store.back_link, execute=execute)
        filled = [self._filled(run) for run in runs]
        self.started = now()
        data = data_digests(run.parameters for run in filled)
        self.runs = {run.name: replace(run, data=data_of(run.parameters, data)) for run in filled}
        self.keys = {
            run.name: content_key(source, run.parameters, data, chosen=run.chosen, code=code)
            for run in filled
        }
        self._written = 0.0

    @property
    def batch(self) -> Batch:
        """The runs as they are by now."""
        return Batch(self.store.folder, tuple(self.runs.values()))

    def done(self, *, resume: bool = False, progress: ProgressChoice = False) -> Batch:
        """Make all runs and return them.

        A cluster is reached before the folder is opened: a wrong address changes nothing there.

        Parameters
        ----------
        resume : bool
            Whether to keep runs that are there and unchanged.
        progress : bool or tqdm class
            Show a bar over the runs; over the cells of a single report.
        """
        pending = self._pending(resume)
        if pending:
            self._preflight(pending)
            require_jupyter()
        with ExitStack() as stack:
            if pending and self.dask is not None:
                from lvkit.cluster import dask_cluster

                stack.enter_context(dask_cluster(self.dask))
            place = stack.enter_context(self.store.open(pending))
            pending = [name for name in self._pending(resume) if name in pending]
            if self.dask is None:
                self.making = replace(self.making, place=place)
            alone = isinstance(self.store, ReportFolder)
            total, label = (self.source.n_cells, "Report") if alone else (len(self.runs), "Reports")
            bar = stack.enter_context(progress_bar(progress, total=total, label=label))
            if alone:
                self._run(pending, bar.update, lambda: None)
            else:
                bar.update(len(self.runs) - len(pending))
                self._run(pending, lambda: None, bar.update)
        return self.batch

    def _pending(self, resume: bool) -> list[str]:
        """Set aside the runs that are to be kept; return the names of the others."""
        if resume:
            self.runs |= {name: self._kept(run) for name, run in self.runs.items() if not run.kept}
        return [run.name for run in self.runs.values() if not run.kept]

    def _run(
        self, pending: list[str], on_cell: Callable[[], object], on_run: Callable[[], object]
    ) -> None:
        """Make runs and store them; leave index and manifest in any case."""
        runs = [self.runs[name] for name in pending]
        made = run_all(runs, self.making, self.n_jobs, dask=self.dask, on_cell=on_cell)
        try:
            with closing(made):
                for run, files in made:
                    record = run.document | {"key": self.keys[run.name], "versions": versions()}
                    folder = self.store.put(run.name, files, record)
                    self.runs[run.name] = replace(run, folder=folder)
                    on_run()
                    if time.monotonic() - self._written > _OFTEN:
                        self._write()
        except BaseException as error:
            with suppress(LvkitError):
                self._write()
            if isinstance(error, LvkitError):
                raise self._stopped(error) from error
            if isinstance(error, KeyboardInterrupt) and (left := self._left()):
                raise KeyboardInterrupt(left) from error
            raise
        self._write()

    def _write(self) -> None:
        """Write the index and the manifest of a batch."""
        if isinstance(self.store, Store):
            self.store.write("index.html", index_page(self.batch, self.source.title))
            self.store.write("manifest.json", manifest_text(self.batch, self.source, self.started))
            self._written = time.monotonic()

    def _stopped(self, error: LvkitError) -> LvkitError:
        """Return an error that ends the batch, with what there is and how to go on."""
        first, *others = error.problems
        remedy = f"{first.remedy} {self._left()}".strip()
        return LvkitError.from_problems([replace(first, remedy=remedy), *others])

    def _left(self) -> str:
        """Return a sentence on what a stopped batch has left, and how to go on."""
        if isinstance(self.store, ReportFolder):
            return ""
        done = sum(run.status == "done" for run in self.runs.values())
        text = f"{done} of {len(self.runs)} reports are there and whole; "
        text += "resume=True goes on with the others."
        index = self.batch.index
        return f"{text} Index: '{index}'." if os.path.isfile(index) else text

    def _preflight(self, pending: list[str]) -> None:
        """Try runs of lvkit's own reports on their data; a user's notebook is the user's affair."""
        if self.source.own:
            from lvkit.batch.preflight import preflight

            runs = preflight([self.runs[name] for name in pending])
            self.runs |= {run.name: run for run in runs}

    def _kept(self, run: Run) -> Run:
        """Return a run as its record says, if it is there already; otherwise as it is."""
        record = self.store.kept(run.name, self.keys[run.name])
        try:
            return run if record is None else replace(
                run,
                status="done",
                kept=True,
                parameters={**run.parameters, **as_json(record["parameters"])},
                highlights=scalars(record["highlights"]),
                started=str(record["started"]),
                ended=str(record["ended"]),
                seconds=float(as_json(record["seconds"])),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, OverflowError):  # written by something else
            return run

    def _filled(self, run: Run) -> Run:
        """Return a run in its folder, with the batch's cache and one worker unless chosen."""
        cache = "" if self.dask or self.store.cache is None else str(self.store.cache)
        filled = {CACHE: cache, "n_jobs": 1}
        mine = {
            parameter.name: filled[parameter.name]
            for parameter in self.source.parameters
            if parameter.name in (ASIDE - run.chosen) & {*run.parameters}
            and parameter.accepts(filled[parameter.name])
        }
        folder = self.store.runs / run.name
        return replace(run, parameters={**run.parameters, **mine}, folder=folder)


def run_all(
    runs: Sequence[Run],
    making: Making,
    n_jobs: int = 1,
    *,
    dask: str | None = None,
    on_cell: Callable[[], object] = lambda: None,
) -> Generator[tuple[Run, dict[str, bytes]], None, None]:
    """Yield runs with their files as they are ready.

    Parameters
    ----------
    runs : sequence of Run
        What to make.
    making : Making
        How.
    n_jobs : int
        Kernels at once, here; on a cluster, it decides.
    dask : str, optional
        Address of a Dask scheduler; None to run here. Its cluster is in use already: iterate inside
        the ``with`` block of :func:`lvkit.cluster.dask_cluster`.
    on_cell : callable
        Called after every code cell that runs here.

    Yields
    ------
    tuple
        As :func:`lvkit.batch.one_run.make` returns it. Close the generator (``contextlib.closing``)
        to stop the runs.

    Raises
    ------
    LvkitError
        If the machine cannot go on, or the cluster is lost.
    """
    if runs and dask is None:
        yield from _here(runs, making, n_jobs, on_cell)
    elif runs:
        yield from _on_cluster(runs, making, str(dask))


def _here(
    runs: Sequence[Run], making: Making, n_jobs: int, on_cell: Callable[[], object]
) -> Generator[tuple[Run, dict[str, bytes]], None, None]:
    from concurrent.futures import ThreadPoolExecutor, as_completed

    from lvkit.batch.kernel import Halt, HaltedError

    halt = Halt()
    pool = ThreadPoolExecutor(n_jobs, thread_name_prefix="lvkit-report")
    try:
        # The list has no name: a future, and with it a whole report, is forgotten once it is done.
        for future in as_completed(
            [pool.submit(_in_thread, run, making, halt, on_cell) for run in runs]
        ):
            if not isinstance(future.exception(), HaltedError):  # raised with its cause elsewhere
                yield future.result()
    except BaseException:
        halt.pull()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_thread(
    run: Run, making: Making, halt: Halt, on_cell: Callable[[], object]
) -> tuple[Run, dict[str, bytes]]:
    """Make a run in a thread of its own, and close the event loop that Jupyter leaves open there.

    A run that cannot go on stops the others from here: none begins after it, even if the
    thread that collects the runs learns of it late.
    """
    import asyncio

    from jupyter_core.utils import ensure_event_loop

    halt.check()
    try:
        made = make(run, making, halt=halt, on_cell=on_cell)
        halt.check()  # the kernel may have been killed: its failure is not the notebook's
        return made
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


def _on_cluster(
    runs: Sequence[Run], making: Making, address: str
) -> Generator[tuple[Run, dict[str, bytes]], None, None]:
    from joblib import Parallel, delayed

    from lvkit.cluster import telling_losses

    with telling_losses(address):
        parallel = Parallel(n_jobs=-1, batch_size=1, return_as="generator_unordered")
        made: Any = parallel(delayed(make)(run, making) for run in runs)
        try:
            yield from made
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that results were computed for nobody
                made.close()
