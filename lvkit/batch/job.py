"""Jobs: one notebook run from beginning to end, as a function of its content.

A job takes text and values and gives back the bytes of its files, so that it can run in a thread
here or on another machine that shares no disk with this one; whoever asked writes the files. A cell
that fails is no error of the job: what went wrong, and the notebook as far as it got, are its
outcome.
"""

from __future__ import annotations

import errno
import json
import math
import re
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lvkit.batch.content import check_unchanged
from lvkit.batch.source import TEMPLATES
from lvkit.errors import LvkitError
from lvkit.workfolder import work_folder

if TYPE_CHECKING:
    from lvkit.reporting.kernel import Halt


# The files of a report, and the one that a failed run leaves instead.
REPORT = ("report.html", "report.ipynb", "report.json")
FAILED = "failed.ipynb"

# A warning as Python prints it: file and line, kind, text, and often the line of code.
_WARNED = re.compile(r"^\S.*?:\d+: LvkitWarning: (.*)\n(?:  .*\n?)?", re.MULTILINE)

# What the machine is to blame for, not the notebook.
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}

_LONGEST = 2000


@dataclass(frozen=True)
class Job:
    """A notebook to be run.

    Attributes
    ----------
    name : str
        What the run is called.
    title : str
        What its page is called.
    text : str
        The notebook, as JSON.
    parameters : mapping
        A value for each parameter.
    code : bool
        Whether the page shows the code.
    timeout : int, optional
        Seconds that a cell may take.
    index : str
        Where the page that lists this one with others lies, seen from it; empty if there is none.
    data : mapping
        The hashes of the files that parameters name, by path. If one is another when the run begins
        or ends, the run has failed: nobody knows what it was made from.
    place : str
        A folder to work in, which the asker removes; empty for one in the system's temporary
        folder, as on another machine.
    """

    name: str
    title: str
    text: str
    parameters: Mapping[str, Any]
    code: bool = False
    timeout: int | None = None
    index: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True)
class Failure:
    """Why a run failed.

    Attributes
    ----------
    section : str
        The heading above the cell that failed; empty if there is none.
    name : str
        The kind of error.
    text : str
        What it says.
    """

    section: str
    name: str
    text: str

    def __str__(self) -> str:
        return self.text if self.name == "LvkitError" else f"{self.name}: {self.text}"


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes
    ----------
    name : str
        The job's.
    files : mapping
        Content by name: those of `REPORT`, or `FAILED` with the notebook as far as it got.
    failure : Failure, optional
        What went wrong; None if nothing did.
    highlights : mapping
        The few numbers by which runs are compared.
    started, ended : str
        When, in UTC.
    seconds : float
        How long it took.
    """

    name: str
    files: Mapping[str, bytes]
    failure: Failure | None
    highlights: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    ended: str = ""
    seconds: float = 0.0


def now() -> str:
    """Return the time in UTC, as manifests have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def require_jupyter() -> None:
    """Say how to install what reports need, if it is missing.

    Raises
    ------
    LvkitError
        If Jupyter's parts cannot be imported.
    """
    try:
        import lvkit.reporting.kernel
        import lvkit.reporting.page  # noqa: F401
    except ImportError as error:
        raise LvkitError(
            f"reports need Jupyter, and {error.name} is not installed",
            remedy="Install it with: pip install 'lvkit[report]'",
        ) from error


def run_job(
    job: Job, *, halt: Halt | None = None, on_cell: Callable[[], object] = lambda: None
) -> Outcome:
    """Run a notebook and make its report.

    Parameters
    ----------
    job : Job
        What to run.
    halt : Halt, optional
        A switch that stops it from another thread.
    on_cell : callable
        Called after every code cell.

    Returns
    -------
    Outcome
        Also where the notebook failed.

    Raises
    ------
    LvkitError
        If the machine is to blame: a full disk, a folder that cannot be written.
    HaltedError
        If the switch was pulled.
    """
    from lvkit.reporting.kernel import HaltedError, run_notebook

    begun, started = time.monotonic(), now()
    with _place(job) as place:
        target = place / "report.ipynb"
        try:
            check_unchanged(job.data)
            notebook = run_notebook(
                job.text,
                job.parameters,
                target,
                timeout=job.timeout,
                halt=halt,
                on_cell=on_cell,
            )
            check_unchanged(job.data)
            files, highlights = _report(notebook, job)
            failure = None
        except HaltedError:
            raise
        except Exception as error:
            _raise_if_the_machine_is_to_blame(error, job)
            files = {FAILED: target.read_bytes() if target.is_file() else job.text.encode()}
            failure, highlights = _failure(error, target, job), {}
    seconds = round(time.monotonic() - begun, 2)
    return Outcome(job.name, files, failure, highlights, started, now(), seconds)


@contextmanager
def _place(job: Job) -> Generator[Path, None, None]:
    """Have a folder that goes away with the job."""
    with ExitStack() as stack:
        try:
            if job.place:
                made = tempfile.TemporaryDirectory(dir=job.place, ignore_cleanup_errors=True)
                place = Path(stack.enter_context(made))
            else:
                place = stack.enter_context(work_folder(Path(tempfile.gettempdir())))
        except OSError as error:
            raise _of_the_machine(error, job) from error
        yield place


def _raise_if_the_machine_is_to_blame(error: Exception, job: Job) -> None:
    if isinstance(error, OSError) and error.errno in _MACHINE:
        raise _of_the_machine(error, job) from error


def _of_the_machine(error: OSError, job: Job) -> LvkitError:
    if job.place:
        return LvkitError(
            f"cannot work in the output folder ({error.strerror or error})",
            where=f"'{Path(job.place).parent}'",
            remedy="Make room on its disk, or choose another output folder.",
        )
    try:
        where = f"'{tempfile.gettempdir()}'"
    except OSError:  # there is none that can be used
        where = "TMPDIR"
    return LvkitError(
        f"cannot work in the folder for temporary files ({error.strerror or error})",
        where=where,
        remedy="Make room there, or name another one in the environment variable TMPDIR.",
    )


def _report(notebook: Any, job: Job) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files of a notebook that has run, and its highlights."""
    import nbformat

    from lvkit.documents import plain
    from lvkit.reporting.page import html_page

    notebook.metadata.pop("papermill", None)
    _without_places_of_code(notebook)
    found = _key_numbers(notebook)
    document = plain({"parameters": dict(job.parameters)} | found)
    texts = (
        html_page(notebook, titled(job.title, found), code=job.code, index=job.index),
        nbformat.writes(notebook) + "\n",  # type: ignore[no-untyped-call]
        json.dumps(document, indent=2, allow_nan=False) + "\n",
    )
    # In JSON and in pages, what UTF-8 cannot say is written as \udcff.
    files = {name: text.encode("utf-8", "backslashreplace")
             for name, text in zip(REPORT, texts, strict=True)}  # fmt: skip
    return files, scalars(found.get("highlights"))


def _without_places_of_code(notebook: Any) -> None:
    """Show lvkit's warnings as sentences, without the files and lines of code they come from."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        if output.get("name") == "stderr":
            output["text"] = _WARNED.sub(r"lvkit: \1\n", output["text"])


def _key_numbers(notebook: Any) -> dict[str, Any]:
    """Return the key numbers that cells have shown, in one document."""
    from lvkit.reporting.keynumbers import MIME

    found: dict[str, Any] = {}
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        shown = output.get("data", {}).get(MIME)
        if isinstance(shown, dict):
            highlights = scalars(found.get("highlights")) | scalars(shown.get("highlights"))
            found |= shown
            found |= {"highlights": highlights} if highlights else {}
    return found


def titled(title: str, found: Mapping[str, Any]) -> str:
    """Return a page's title; that of lvkit's family report names its family, unless it does.

    Examples
    --------
    >>> titled("lvkit family report: a.csv", {"family": "opt"})
    'lvkit family report: opt, a.csv'
    """
    start, family = f"{TEMPLATES['family']}: ", found.get("family")
    chosen = f"about = {family}"
    named = f"{chosen}," in title or title.endswith(f"{chosen})")
    if family is None or named or not title.startswith(start):
        return title
    return f"{start}{family}, {title.removeprefix(start)}"


def scalars(highlights: Any) -> dict[str, Any]:
    """Return the entries of a mapping that are numbers or texts, cut where they are long.

    A number that is not finite becomes a text, since JSON has none.

    Examples
    --------
    >>> scalars({"K": 2, "AIC": float("nan"), "anchors": ["a"]})
    {'K': 2, 'AIC': 'nan'}
    """
    if not isinstance(highlights, Mapping):
        return {}
    return {_cut(str(name)): _scalar(value) for name, value in highlights.items()
            if isinstance(value, (bool, int, float, str))}  # fmt: skip


def _scalar(value: float | str) -> float | str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def _failure(error: Exception, target: Path, job: Job) -> Failure:
    """Return what went wrong in plain words."""
    if isinstance(error, LvkitError):  # of this process: no cell has raised it
        return Failure("", "LvkitError", _cut(str(error).rstrip(".")))
    section = _section(target)
    if isinstance(error, TimeoutError):
        return Failure(section, "TimeoutError", f"a cell took longer than {job.timeout} seconds")
    name = getattr(error, "ename", type(error).__name__)
    text = str(getattr(error, "evalue", error)).rstrip(".")
    return Failure(section, name, _cut(text))


def _section(target: Path) -> str:
    """Return the heading above the cell that a notebook came to."""
    import nbformat

    from lvkit.reporting.page import section_of

    try:
        notebook = nbformat.read(target, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError):  # not even begun
        return ""
    begun = [position for position, cell in enumerate(notebook.cells)
             if cell.metadata.get("papermill", {}).get("start_time")]  # fmt: skip
    return section_of(notebook, begun[-1]) if begun else ""
