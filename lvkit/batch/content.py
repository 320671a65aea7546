"""Content: what a report was made from, as a hash.

A run is done again when anything has changed that its numbers depend on: the notebook, the values
of its parameters, what is in the files that they name, or the packages that compute. Where files
lie does not count, nor do the workers and the cache, since no number depends on them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from lvkit.batch.source import Source
from lvkit.documents import installed_versions
from lvkit.errors import LvkitError, Problem

# Parameters that change how a report is made, and none of its numbers.
ASIDE = frozenset({"cache", "n_jobs"})

_PAGES = ("matplotlib", "seaborn", "papermill", "nbconvert", "ipykernel")


def digest(content: bytes | str) -> str:
    """Return the SHA-256 of a content, in hexadecimal digits."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_digests(runs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the SHA-256 of every file that parameters name, by path; each is read once."""
    paths = {path for values in runs for path in _paths(list(values.values()))}
    try:
        return {path: file_digest(path) for path in sorted(paths)}
    except OSError as error:
        raise LvkitError(
            f"cannot read the file ({error.strerror})", where=f"'{error.filename}'"
        ) from error


def check_unchanged(data: Mapping[str, str]) -> None:
    """Refuse to go on with files that are not what they were.

    Parameters
    ----------
    data : mapping
        The hashes of files by path, from `data_digests`.

    Raises
    ------
    LvkitError
        If the content of a file is another one now, or cannot be read any more.
    """
    problems = []
    for path, known in data.items():
        try:
            is_same = file_digest(path) == known
        except OSError:
            is_same = False
        if not is_same:
            problems.append(
                Problem(
                    "the file changed, or went away, after the hash of its content was recorded",
                    f"'{path}'",
                    remedy="Make the report again when nothing writes to the file any more.",
                )
            )
    if problems:
        raise LvkitError.from_problems(problems)


def data_of(values: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, str]:
    """Return those of some hashes whose files the values of a run name."""
    return {path: data[path] for path in _paths(list(values.values())) if path in data}


@cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that reports are made with."""
    return installed_versions(*_PAGES)


def content_key(
    source: Source,
    parameters: Mapping[str, Any],
    data: Mapping[str, str],
    *,
    given: Container[str] = (),
    code: bool = False,
) -> str:
    """Return the hash of all that a run's numbers and pages depend on.

    Parameters
    ----------
    source : Source
        The notebook.
    parameters : mapping
        The run's values; those in `ASIDE` do not count, except in the user's notebook if given.
    data : mapping
        The hashes of files by path, from `data_digests`.
    given : container of str
        The parameters whose value somebody chose: in a notebook of the user's all of them count,
        since lvkit cannot know that no number depends on them.
    code : bool
        Whether the page shows the code.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    counted = {name: _by_content(value, data) for name, value in parameters.items()
               if name not in ASIDE or (name in given and not source.own)}  # fmt: skip
    packages = {name: text for name, text in versions().items() if name not in _PAGES}
    document = [digest(source.text), source.title, counted, packages, code]
    return digest(json.dumps(document, sort_keys=True))


def _paths(value: Any) -> Iterator[str]:
    """Yield the files that a value names, in full."""
    if isinstance(value, (list, dict)):
        for item in value if isinstance(value, list) else value.values():
            yield from _paths(item)
    elif isinstance(value, str) and "\0" not in value and os.path.isabs(value):
        yield from [value] if os.path.isfile(value) else []


def _by_content(value: Any, data: Mapping[str, str]) -> Any:
    """Return a value in which a file stands for its name and content."""
    if isinstance(value, list):
        return [_by_content(item, data) for item in value]
    if isinstance(value, dict):
        return {name: _by_content(item, data) for name, item in value.items()}
    if isinstance(value, str) and value in data:
        return {"file": os.path.basename(value), "sha256": data[value]}
    return value
