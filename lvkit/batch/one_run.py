"""One run: a notebook with one set of values, from its plan to the files of its report.

A run is one record that grows: planned with a name and values, then made, with its highlights or
its failure. Making it gives back the bytes of its files, so that it can happen in a thread here or
on another machine that shares no disk with this one; the caller writes the files. A cell that fails
is no error of the program: the failure and the notebook as far as it got are the outcome.
"""

from __future__ import annotations

import errno
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lvkit.batch.notebook import TEMPLATES
from lvkit.batch.store import FAILED, REPORT, check_unchanged
from lvkit.errors import LvkitError
from lvkit.tools.files import work_folder, work_folder_error

if TYPE_CHECKING:
    from lvkit.batch.kernel import Halt

Status = Literal["done", "failed", "not run"]

# A warning as Python prints it: file and line, kind, text, and often the line of code.
_WARNED = re.compile(r"^\S.*?:\d+: LvkitWarning: (.*)\n(?:  .*\n?)?", re.MULTILINE)

# Errors that the machine causes, not the notebook.
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}

_LONGEST = 2000

Executor = Callable[..., Any]
"""What executes a notebook: a kernel (:func:`lvkit.batch.kernel.run_notebook`), or a substitute in
tests, with the same arguments and result."""


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
        Its message.
    """

    section: str
    name: str
    text: str

    def __str__(self) -> str:
        return self.text if self.name == "LvkitError" else f"{self.name}: {self.text}"


@dataclass(frozen=True)
class Run:
    """A run of a notebook: planned, done or failed.

    Attributes
    ----------
    name : str
        The name of its folder.
    title : str
        The title of its page.
    parameters : mapping
        A value for each of the notebook's parameters; a default that the notebook computes, or
        that JSON does not know, is left to it.
    chosen : frozenset of str
        The parameters whose value the user chose.
    varied : mapping
        The values that distinguish it from other runs.
    data : mapping
        SHA-256 of the files that its parameters name, by path. If one has changed when the run
        begins or ends, the run fails: nobody knows what it was made from.
    folder : pathlib.Path
        Where its files are.
    status : str
        ``"done"``, ``"failed"`` or ``"not run"``, the last if the batch was stopped before.
    failure : Failure, optional
        Why it failed; None if it did not.
    highlights : mapping
        The few numbers by which runs are compared.
    started, ended : str
        When, in UTC; empty if it has not run.
    seconds : float
        How long it took.
    kept : bool
        Whether it was there already and unchanged.
    """

    name: str
    title: str
    parameters: Mapping[str, Any]
    chosen: frozenset[str] = frozenset()
    varied: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    status: Status = "not run"
    failure: Failure | None = None
    highlights: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    kept: bool = False

    @property
    def html(self) -> Path | None:
        """The page, if there is one."""
        return self.folder / REPORT[0] if self.status == "done" else None

    @property
    def document(self) -> dict[str, Any]:
        """What a manifest and a run's own record say of it, in JSON's types."""
        shown = {name: value for name, value in vars(self).items()
                 if name not in ("chosen", "varied", "folder")}  # fmt: skip
        failure = asdict(self.failure) if self.failure else None
        return shown | {"failure": failure, "seed": self.parameters.get("seed")}


@dataclass(frozen=True)
class Making:
    """How all runs of a batch are made.

    Attributes
    ----------
    notebook : str
        The notebook, as JSON.
    code : bool
        Whether pages show the code.
    timeout : int, optional
        Seconds that a cell may take.
    back_link : str
        From a page to the one that lists all; empty if there is none.
    place : pathlib.Path, optional
        A folder to work in, which the caller removes; None for one in the system's temporary
        folder, as on another machine.
    execute : Executor, optional
        What executes the notebook; None for a Jupyter kernel.
    """

    notebook: str
    code: bool = False
    timeout: int | None = None
    back_link: str = ""
    place: Path | None = None
    execute: Executor | None = None


def now() -> str:
    """Return the time in UTC, as manifests have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def require_jupyter() -> None:
    """Raise an error that says how to install what reports need, if it is missing."""
    try:
        import lvkit.batch.kernel
        import lvkit.batch.page  # noqa: F401
    except ImportError as error:
        raise LvkitError(
            f"reports need Jupyter, and {error.name} is not installed",
            remedy="Install it with: pip install 'lvkit[report]'",
        ) from error


def make(
    run: Run,
    making: Making,
    *,
    halt: Halt | None = None,
    on_cell: Callable[[], object] = lambda: None,
) -> tuple[Run, dict[str, bytes]]:
    """Execute the notebook of a run and make its report.

    Parameters
    ----------
    run : Run
        What to make.
    making : Making
        How.
    halt : Halt, optional
        A switch that stops it from another thread.
    on_cell : callable
        Called after every code cell.

    Returns
    -------
    Run
        Done or failed.
    dict
        Content by file name: those of `REPORT`, or `FAILED` with the notebook as far as it got.

    Raises
    ------
    LvkitError
        If the machine is to blame: a full disk, a folder that cannot be written.
    HaltedError
        If the switch was pulled.
    """
    from lvkit.batch.kernel import HaltedError, run_notebook

    begun, started = time.monotonic(), now()
    execute = making.execute or run_notebook
    with work_folder(making.place) as place:
        target = place / "report.ipynb"
        try:
            check_unchanged(run.data)
            notebook = execute(
                making.notebook,
                run.parameters,
                target,
                timeout=making.timeout,
                halt=halt,
                on_cell=on_cell,
            )
            check_unchanged(run.data)
            files, highlights = _report(notebook, run, making)
            made = replace(run, status="done", highlights=highlights)
        except HaltedError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _MACHINE:
                raise work_folder_error(error, making.place) from error
            kept = target.read_bytes() if target.is_file() else making.notebook.encode()
            files = {FAILED: kept}
            failure = _failure(error, target, making.timeout)
            made = replace(run, status="failed", failure=failure)
    seconds = round(time.monotonic() - begun, 2)
    return replace(made, started=started, ended=now(), seconds=seconds), files


def _report(notebook: Any, run: Run, making: Making) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files of an executed notebook, and its highlights."""
    import nbformat

    from lvkit.batch.page import html_page
    from lvkit.reports.as_json import plain

    notebook.metadata.pop("papermill", None)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    for output in outputs:  # lvkit's warnings without the files and lines of code they come from
        if output.get("name") == "stderr":
            output["text"] = _WARNED.sub(r"lvkit: \1\n", output["text"])
    numbers = _key_numbers(outputs)
    document = plain({"parameters": dict(run.parameters)} | numbers)
    title = titled(run.title, numbers)
    texts = (
        html_page(notebook, title, code=making.code, index=making.back_link),
        nbformat.writes(notebook) + "\n",  # type: ignore[no-untyped-call]
        json.dumps(document, indent=2, allow_nan=False) + "\n",
    )
    # In JSON and in pages, what UTF-8 cannot say is written as \udcff.
    files = {name: text.encode("utf-8", "backslashreplace")
             for name, text in zip(REPORT, texts, strict=True)}  # fmt: skip
    return files, scalars(numbers.get("highlights"))


def _key_numbers(outputs: list[Any]) -> dict[str, Any]:
    """Return the key numbers in some outputs, in one document."""
    from lvkit.reports.key_numbers import MIME

    numbers: dict[str, Any] = {}
    for shown in (output.get("data", {}).get(MIME) for output in outputs):
        if isinstance(shown, dict):
            highlights = scalars(numbers.get("highlights")) | scalars(shown.get("highlights"))
            numbers |= shown | ({"highlights": highlights} if highlights else {})
    return numbers


def titled(title: str, numbers: Mapping[str, Any]) -> str:
    """Return a page's title; that of lvkit's family report names its family, unless it does.

    Examples
    --------
    >>> titled("lvkit family report: a.csv", {"family": "opt"})
    'lvkit family report: opt, a.csv'
    """
    start, family = f"{TEMPLATES['family']}: ", numbers.get("family")
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


def _failure(error: Exception, target: Path, timeout: int | None) -> Failure:
    """Return why a run failed, in plain words."""
    if isinstance(error, LvkitError):  # of this process: no cell has raised it
        return Failure("", "LvkitError", _cut(str(error).rstrip(".")))
    if isinstance(error, TimeoutError):
        name, text = "TimeoutError", f"a cell took longer than {timeout} seconds"
    else:
        name = getattr(error, "ename", type(error).__name__)
        text = str(getattr(error, "evalue", error)).rstrip(".")
    return Failure(_section(target), name, _cut(text))


def _section(target: Path) -> str:
    """Return the heading above the last cell of a notebook that was begun."""
    import nbformat

    from lvkit.batch.page import section_of

    try:
        notebook = nbformat.read(target, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError):  # not even begun
        return ""
    begun = [position for position, cell in enumerate(notebook.cells)
             if cell.metadata.get("papermill", {}).get("start_time")]  # fmt: skip
    return section_of(notebook, begun[-1]) if begun else ""
