"""Work: a batch from its plan to its last report.

Runs that are there and unchanged are set aside, the others run side by side, and each is stored as
soon as it is ready. The index and the manifest are written on the way and at the end, whatever the
end is: done, a full disk, or the user's Ctrl-C.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lvkit.batch.content import ASIDE, content_key, data_digests, data_of, versions
from lvkit.batch.grid import PlannedRun
from lvkit.batch.index import index_page, manifest_text
from lvkit.batch.job import Job, Outcome, now, require_jupyter, scalars
from lvkit.batch.parameters import as_json
from lvkit.batch.pool import run_jobs
from lvkit.batch.results import Batch, Run
from lvkit.batch.source import Source
from lvkit.batch.store import CACHE, Store
from lvkit.errors import LvkitError
from lvkit.progress import Progress, ProgressChoice, progress_bar
from lvkit.workfolder import work_folder

# How often the index of a batch at work is written, in seconds.
_OFTEN = 5.0


@dataclass(frozen=True)
class Manner:
    """How a batch is to be run.

    Attributes
    ----------
    n_jobs : int
        Kernels at once.
    timeout : int, optional
        Seconds that a cell may take.
    code : bool
        Whether pages show the code.
    dask : str, optional
        Address of a Dask scheduler.
    """

    n_jobs: int = 2
    timeout: int | None = None
    code: bool = False
    dask: str | None = None


class Work:
    """A batch at work.

    Parameters
    ----------
    source : Source
        The notebook.
    planned : sequence of PlannedRun
        What is to be made of it.
    folder : pathlib.Path
        Where to, in full.
    manner : Manner
        How.
    """

    def __init__(
        self, source: Source, planned: Sequence[PlannedRun], folder: Path, manner: Manner
    ) -> None:
        self.source, self.manner = source, manner
        self.store = Store(folder)
        self.planned = [self._filled(run) for run in planned]
        self.started = now()
        self.data = data_digests(run.parameters for run in self.planned)
        self.keys = {run.name: self._key(run) for run in self.planned}
        self.runs = {run.name: self._waiting(run) for run in self.planned}
        self._written = 0.0

    @property
    def batch(self) -> Batch:
        """What there is by now."""
        return Batch(self.store.folder, tuple(self.runs.values()))

    def done(self, *, resume: bool, progress: ProgressChoice) -> Batch:
        """Do what is to be done and return what there is then.

        A cluster is reached before the folder is opened: a wrong address changes nothing there.

        Parameters
        ----------
        resume : bool
            Whether to keep runs that are there and unchanged.
        progress : bool or tqdm class
            Show a bar over the runs.
        """
        pending = self._pending(self.planned, resume=resume)
        if pending:
            pending = self._tried(pending)
            require_jupyter()
        with self._place(pending), self.store.open([run.name for run in pending]):
            pending = self._pending(pending, resume=resume)  # another batch may have ended by now
            self.runs |= {run.name: self._waiting(run) for run in pending}
            with (
                progress_bar(progress, total=len(self.planned), label="Reports") as bar,
                work_folder(self.store.folder) as place,
            ):
                bar.update(len(self.planned) - len(pending))
                self._run([self._job(run, place) for run in pending], bar)
        return self.batch

    def _place(self, pending: Sequence[PlannedRun]) -> AbstractContextManager[None]:
        """Return the block to run in, which reaches the cluster if there is need of one."""
        if not pending or self.manner.dask is None:
            return nullcontext()
        from lvkit.cluster import dask_cluster

        return dask_cluster(self.manner.dask)

    def _pending(self, planned: Sequence[PlannedRun], *, resume: bool) -> list[PlannedRun]:
        """Set aside the runs that are to be kept; return the others."""
        if resume:
            self.runs |= {run.name: run for run in map(self._kept, planned) if run}
        return [run for run in planned if not self.runs[run.name].kept]

    def _run(self, jobs: Sequence[Job], bar: Progress) -> None:
        """Run jobs and store what comes of them; leave index and manifest in any case."""
        try:
            with closing(run_jobs(jobs, self.manner.n_jobs, dask=self.manner.dask)) as outcomes:
                for outcome in outcomes:
                    self._store(outcome)
                    bar.update()
                    if time.monotonic() - self._written > _OFTEN:
                        self._write()
        except BaseException as error:
            with suppress(LvkitError):
                self._write()
            if isinstance(error, LvkitError):
                raise self._stopped(error) from error
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(self._left()) from error
            raise
        self._write()

    def _store(self, outcome: Outcome) -> None:
        """Keep what came of a job."""
        run = replace(
            self.runs[outcome.name],
            status="failed" if outcome.failure else "done",
            failure=outcome.failure,
            highlights=outcome.highlights,
            started=outcome.started,
            ended=outcome.ended,
            seconds=outcome.seconds,
        )
        record = {
            "name": run.name,
            "status": run.status,
            "key": self.keys[run.name],
            "parameters": dict(run.parameters),
            "data": dict(run.data),
            "failure": asdict(outcome.failure) if outcome.failure else None,
            "highlights": dict(run.highlights),
            "started": run.started,
            "ended": run.ended,
            "seconds": run.seconds,
            "versions": versions(),
        }
        self.store.put(run.name, outcome.files, record)
        self.runs[run.name] = run

    def _write(self) -> None:
        """Write the index and the manifest."""
        self.store.write("index.html", index_page(self.batch, self.source.title))
        self.store.write("manifest.json", manifest_text(self.batch, self.source, self.started))
        self._written = time.monotonic()

    def _stopped(self, error: LvkitError) -> LvkitError:
        """Return an error that ends the batch, with what there is and how to go on."""
        first, *others = error.problems
        remedy = f"{first.remedy} {self._left()}".strip()
        return LvkitError.from_problems([replace(first, remedy=remedy), *others])

    def _left(self) -> str:
        """Say what a batch that was stopped has left, and how to go on."""
        there = sum(run.status == "done" for run in self.runs.values())
        text = f"{there} of {len(self.runs)} reports are there and whole; "
        text += "resume=True goes on with the others."
        index = self.batch.index
        return f"{text} Index: '{index}'." if os.path.isfile(index) else text

    def _tried(self, runs: list[PlannedRun]) -> list[PlannedRun]:
        """Try runs of lvkit's own reports on their data; a user's notebook is the user's affair."""
        if not self.source.own:
            return runs
        from lvkit.batch.preflight import preflight

        return preflight(runs)

    def _key(self, run: PlannedRun) -> str:
        return content_key(
            self.source, run.parameters, self.data, given=run.given, code=self.manner.code
        )

    def _waiting(self, run: PlannedRun) -> Run:
        """Return a run that has not been made yet."""
        data = data_of(run.parameters, self.data)
        folder = self.store.runs / run.name
        return Run(run.name, run.title, "not run", folder, run.parameters, run.told, data=data)

    def _kept(self, planned: PlannedRun) -> Run | None:
        """Return a run that is there already; None if it must be made."""
        record = self.store.kept(planned.name, self.keys[planned.name])
        if record is None:
            return None
        try:
            return replace(
                self._waiting(planned),
                status="done",
                kept=True,
                parameters={**planned.parameters, **as_json(record["parameters"])},
                highlights=scalars(record["highlights"]),
                started=str(record["started"]),
                ended=str(record["ended"]),
                seconds=float(as_json(record["seconds"])),
            )
        except (KeyError, TypeError, ValueError, OverflowError):  # written by something else
            return None

    def _job(self, run: PlannedRun, place: Path) -> Job:
        manner = self.manner
        return Job(
            run.name,
            run.title,
            self.source.text,
            run.parameters,
            manner.code,
            manner.timeout,
            index="../../index.html",
            data=self.runs[run.name].data,
            place="" if manner.dask else str(place),
        )

    def _filled(self, run: PlannedRun) -> PlannedRun:
        """Return a run with the batch's cache and one worker, unless somebody chose others."""
        cache = "" if self.manner.dask else str(self.store.folder / CACHE)
        filled = {"cache": cache, "n_jobs": 1}
        mine = {
            parameter.name: filled[parameter.name]
            for parameter in self.source.parameters
            if parameter.name in (ASIDE - run.given) & {*run.parameters}
            and parameter.accepts(filled[parameter.name])
        }
        return replace(run, parameters={**run.parameters, **mine})
