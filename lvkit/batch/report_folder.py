"""The folder of a single report: replaced by the next report, without losing a user's work.

Each file of a report carries the SHA-256 of its own content, a seal, so that lvkit recognises the
files that nobody has edited: notes in the notebook or a page with a paragraph added are never
replaced. Opening and saving a notebook without a change keeps the seal, since neither spaces nor
the order of fields count. The three files appear together; if the report fails, the notebook as far
as it got is kept beside the older report.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lvkit.batch.store import FAILED, REPORT, unused
from lvkit.errors import LvkitWarning
from lvkit.tools.files import make_folder, work_folder, write_together, write_whole
from lvkit.tools.outputs import check_output

KEPT = f"report-{FAILED}"

_COMMENT = re.compile(rb"<!-- lvkit sha256 ([0-9a-f]{64}) -->\n\Z")
_FIELD = "sha256"


class ReportFolder:
    """A folder with the files of one report.

    Parameters
    ----------
    folder : pathlib.Path
        The folder; made when it is opened.
    inputs : iterable
        What the report reads, which it must not replace.
    """

    back_link = ""
    cache = None

    def __init__(self, folder: Path, inputs: Iterable[object] = ()) -> None:
        self.folder = self.runs = folder
        self.inputs = list(inputs)

    @contextmanager
    def open(self, _: Iterable[str]) -> Generator[Path, None, None]:
        """Make the folder and one to work in it; refuse to replace what is not lvkit's.

        Raises
        ------
        LvkitError
            If the folder cannot be made or written, or holds files of these names that are an
            input or not a report as lvkit wrote it.
        """
        make_folder(self.folder)
        for name in (*REPORT, KEPT):
            check_output(
                self.folder / name,
                kind="an unedited lvkit report",
                ours=is_sealed,
                inputs=self.inputs,
                argument="output",
            )
        with work_folder(self.folder) as self._staging:
            yield self._staging

    def kept(self, name: str, key: str) -> None:
        """Return None: a single report is always made anew."""

    def put(self, name: str, files: Mapping[str, bytes], record: Mapping[str, Any]) -> Path:
        """Write a report, or the notebook of one that failed, and return the folder they are in.

        Parameters
        ----------
        name, record
            As for :meth:`lvkit.batch.store.Store.put`; without effect here.
        files : mapping
            Content by file name.
        """
        if FAILED in files:
            folder = self._unedited([KEPT])
            write_whole(folder / KEPT, sealed(KEPT, files[FAILED]))
            return folder
        page, notebook, numbers = REPORT
        contents = {name: sealed(name, files[name]) for name in (notebook, numbers, page)}
        folder = self._unedited(REPORT)
        write_together(folder, contents, self._staging)  # the page last: where it is, all are
        if not _is_edited(folder / KEPT):
            (folder / KEPT).unlink(missing_ok=True)
        return folder

    def _unedited(self, names: Iterable[str]) -> Path:
        """Return the folder; a new one in it if somebody edited a file while the report ran."""
        if not any(_is_edited(self.folder / name) for name in names):
            return self.folder
        other = make_folder(unused(self.folder, "report-", first=2))
        warnings.warn(
            f"the report in '{self.folder}' was edited while a new one was made, which is in "
            f"'{other}'",
            LvkitWarning,
            stacklevel=6,  # the line that calls run_report
        )
        return other


def _is_edited(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0 and not is_sealed(file)


def sealed(name: str, content: bytes) -> bytes:
    r"""Return the content of a page, a notebook or a JSON document with its seal.

    Parameters
    ----------
    name : str
        The file's name, which tells its kind: ``.html``, ``.ipynb`` or ``.json``.
    content : bytes
        Its content; of a notebook or a document, a JSON object.

    Examples
    --------
    >>> sealed("page.html", b"<p>1</p>")[:8], sealed("a.json", b'{"x": 1}')[:12]
    (b'<p>1</p>', b'{\n  "x": 1,\n')
    """
    if name.endswith(".html"):
        return content + b"<!-- lvkit sha256 " + _digest(content).encode() + b" -->\n"
    document = json.loads(content)
    holder = _holder(name, document)
    holder.pop(_FIELD, None)
    holder[_FIELD] = _digest(_canonical(document))
    notebook = name.endswith(".ipynb")
    text = json.dumps(
        document, indent=1 if notebook else 2, ensure_ascii=not notebook, sort_keys=notebook
    )
    return (text + "\n").encode("utf-8", "backslashreplace")  # as \\udcff, which JSON reads


def is_sealed(path: Path) -> bool:
    """Return whether a file carries a seal and nobody has edited it since.

    Parameters
    ----------
    path : pathlib.Path
        A page, a notebook or a JSON document.
    """
    content = path.read_bytes()
    if path.name.endswith(".html"):
        seal = _COMMENT.search(content)
        return seal is not None and seal[1].decode() == _digest(content[: seal.start()])
    try:
        document = json.loads(content)
        value = _holder(path.name, document).pop(_FIELD, None)
        return bool(value == _digest(_canonical(document)))
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return False


def _holder(name: str, document: Any) -> Any:
    """Return the mapping that a document's seal is a field of."""
    return document["metadata"].setdefault("lvkit", {}) if name.endswith(".ipynb") else document


def _canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
