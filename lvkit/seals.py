"""Seals: files that show whether anybody has edited them.

A report is written again and again into one folder, and lvkit replaces the older one. It must not
replace what its reader made of it: notes in the notebook, a page with a paragraph added. Each file
of a report therefore carries the SHA-256 of its own content. Opening and saving a notebook without
a change keeps the seal, since neither spaces nor the order of fields count.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

_COMMENT = re.compile(rb"<!-- lvkit sha256 ([0-9a-f]{64}) -->\n\Z")
_FIELD = "sha256"


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
    """Tell whether a file carries a seal and nobody has edited it since.

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
    if not name.endswith(".ipynb"):
        return document
    return document["metadata"].setdefault("lvkit", {})


def _canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
