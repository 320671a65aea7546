"""Results: what a batch left, run by run."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lvkit.batch.job import REPORT, Failure
from lvkit.errors import count

if TYPE_CHECKING:
    import pandas as pd


Status = Literal["done", "failed", "not run"]


@dataclass(frozen=True)
class Run:
    """A run of a batch.

    Attributes
    ----------
    name : str
        What its folder is called.
    title : str
        What its page is called.
    status : str
        ``"done"``, ``"failed"`` or ``"not run"``, the last if the batch was stopped before.
    folder : pathlib.Path
        Where its files are.
    parameters : mapping
        A value for each of the notebook's parameters.
    told : mapping
        The values that tell it from other runs.
    failure : Failure, optional
        What went wrong; None if nothing did.
    highlights : mapping
        The few numbers by which runs are compared.
    started, ended : str
        When, in UTC; empty if it has not run.
    seconds : float
        How long it took.
    kept : bool
        Whether it was there already and unchanged.
    data : mapping
        SHA-256 of the files that its parameters name, by path.
    """

    name: str
    title: str
    status: Status
    folder: Path
    parameters: Mapping[str, Any]
    told: Mapping[str, Any]
    failure: Failure | None = None
    highlights: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    kept: bool = False
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def html(self) -> Path | None:
        """The page, if there is one."""
        return self.folder / REPORT[0] if self.status == "done" else None


@dataclass(frozen=True)
class Batch:
    """What a batch left; :func:`run_reports` returns it.

    Attributes
    ----------
    folder : pathlib.Path
        Where everything is.
    runs : tuple of Run
        In the order of the plan.
    """

    folder: Path
    runs: tuple[Run, ...]

    @property
    def index(self) -> Path:
        """The page that lists all runs."""
        return self.folder / "index.html"

    @property
    def manifest(self) -> Path:
        """The same for a program, with versions, hashes and times."""
        return self.folder / "manifest.json"

    @property
    def ok(self) -> bool:
        """Whether every run is done."""
        return all(run.status == "done" for run in self.runs)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each run: what tells it from others, its status, time and highlights."""
        import pandas as pd

        rows = [
            {**run.told, "status": run.status, "seconds": run.seconds, **run.highlights}
            for run in self.runs
        ]
        names = pd.Index([run.name for run in self.runs], name="run")
        try:
            return pd.DataFrame(rows, index=names)
        except OverflowError:  # pandas 2: a whole number beyond the largest float
            return pd.DataFrame(rows, index=names, dtype=object)

    def __str__(self) -> str:
        counts = [sum(run.status == status for run in self.runs) for status in ("done", "failed")]
        kept = sum(run.kept for run in self.runs)
        verb = "is" if counts[0] == 1 else "are"
        text = f"{counts[0]} of {count(len(self.runs), 'report')} {verb} there"
        text += f" ({kept} unchanged from before)" if kept else ""
        return text + (f", {counts[1]} failed" if counts[1] else "") + "."

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>{self.table.to_html(escape=True)}"
