"""Names: what the folder of a run is called.

Names of families and values of parameters come from data, and data may hold anything: slashes,
dots, signs that some file system does not know, or a thousand letters. A folder's name is made of
small letters, digits and hyphens only, so that it is a name on every machine and never a path.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_LONGEST = 60
_HASH = 10


def slug(text: str) -> str:
    """Return a text as letters, digits and hyphens; empty if it has none of the first two.

    Examples
    --------
    >>> slug("Größe <b>../../x</b>")
    'grosse-b-x-b'
    """
    folded = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", folded).strip("-")


def run_names(runs: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """Return a name for each run, all different and none too long.

    Parameters
    ----------
    runs : sequence of mapping
        What tells each run from the others: values by parameter.
    name : str
        What to call a run of which nothing is told.

    Examples
    --------
    >>> run_names([{"about": "gemma-2", "budget": 1e23}, {"about": "qwen2.5", "budget": 1e23}], "")
    ['about-gemma-2-budget-1e23', 'about-qwen2-5-budget-1e23']
    >>> run_names([{"about": "A b"}, {"about": "a.b"}], "")
    ['about-a-b-eb5d7ce344', 'about-a-b-2da8cf2db2']
    """
    plain = [
        "-".join(part for key, value in run.items() for part in (slug(key), _word(value)) if part)
        or slug(name)
        or "run"
        for run in runs
    ]
    often = Counter(plain)
    return [
        text if often[text] == 1 and len(text) <= _LONGEST else _marked(text, run)
        for text, run in zip(plain, runs, strict=True)
    ]


def _word(value: Any) -> str:
    """Return a value as part of a name; a path by its last part."""
    if isinstance(value, str):
        return slug(os.path.basename(value) if os.path.isabs(value) else value)
    if isinstance(value, float):
        return slug(f"{value:.6g}".replace("e+", "e"))
    return slug(json.dumps(value))


def _marked(text: str, run: Mapping[str, Any]) -> str:
    """Return a name that is cut, and told from others like it by a hash."""
    mark = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:_HASH]
    return f"{text[: _LONGEST - _HASH - 1].strip('-')}-{mark}"
