from __future__ import annotations

import json
from pathlib import Path

import pytest

from lvkit.batch.report_folder import is_sealed, sealed

NOTEBOOK = json.dumps({"cells": [{"source": ["1 + ü"]}], "metadata": {"kernel": "x"}}).encode()
FILES = {"a.html": b"<p>\xc3\xbc</p>", "b.ipynb": NOTEBOOK, "c.json": b'{"x": 1.5, "a": [NaN]}'}


@pytest.mark.parametrize("name", FILES)
def test_what_was_sealed_is_known_again_until_it_is_edited(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    assert not is_sealed(path)
    content = sealed(name, FILES[name])
    path.write_bytes(content)
    assert is_sealed(path)
    for old, new in ((b"x", b"y"), (b"<p>", b"<b>")):
        if old in content:
            path.write_bytes(content.replace(old, new, 1))
            assert not is_sealed(path)
    path.write_bytes(content + b"more")
    assert not is_sealed(path)


@pytest.mark.parametrize("name", ["b.ipynb", "c.json"])
def test_the_layout_of_a_document_does_not_count(name: str, tmp_path: Path) -> None:
    document = json.loads(sealed(name, FILES[name]))
    (tmp_path / name).write_text(json.dumps(dict(reversed(document.items())), indent=4))
    assert is_sealed(tmp_path / name)


@pytest.mark.parametrize("name", ["b.ipynb", "c.json"])
def test_an_older_seal_is_renewed(name: str) -> None:
    once = sealed(name, FILES[name])
    assert sealed(name, once) == once


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"1", b"{}", b'{"metadata": 1}', b'{"metadata": {"lvkit": []}}',
                b'{"metadata": {"lvkit": {"sha256": 1}}}', b"[" * 100_000, b"\xff"],
)  # fmt: skip
@pytest.mark.parametrize("name", FILES)
def test_whatever_is_in_a_file_it_is_no_seal(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert not is_sealed(tmp_path / name)


@pytest.mark.parametrize("name", ["report.ipynb", "report.json"])
def test_what_utf8_cannot_write_is_sealed_as_well(name: str, tmp_path: Path) -> None:
    content = rb'{"metadata": {}, "data": "caf\udce9.csv"}'
    path = tmp_path / name
    path.write_bytes(sealed(name, content))
    assert is_sealed(path)
    assert json.loads(path.read_bytes())["data"] == "caf\udce9.csv"
