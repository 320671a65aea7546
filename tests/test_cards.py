from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
import yaml

from lvkit.lab import Card, cards, fresh_cards, fresh_copy, own_cards, write_fresh_files
from lvkit.tools.files import shipped_notebooks


def notebook(*texts: str) -> bytes:
    cells = [{"cell_type": "code", "source": "# not a heading"}]
    cells += [{"cell_type": "markdown", "source": text} for text in texts]
    return json.dumps({"cells": cells}).encode()


def test_there_is_a_card_for_every_notebook_in_the_order_of_their_names() -> None:
    made = cards(shipped_notebooks())
    assert [card.notebook for card in made] == sorted(shipped_notebooks())
    assert all(0 < len(card.title) <= 50 for card in made)


@pytest.mark.parametrize(
    ("name", "texts", "title"),
    [
        ("03_choose_k.ipynb", ["# How many skills?\n\nWords."], "3. How many skills?"),
        ("03_choose_k.ipynb", ["Words.", "# 3. How many?"], "3. How many?"),
        ("03_choose_k.ipynb", ["## No title"], "3. Choose k"),
        ("report.ipynb", ["# What do these benchmarks measure?"], "Report"),
    ],
)
def test_a_card_is_titled_in_the_words_of_its_notebook(
    name: str, texts: list[str], title: str
) -> None:
    assert cards({name: notebook(*texts)}) == [Card(title, name)]


def test_cards_of_the_lab_open_the_users_copy() -> None:
    (card,) = yaml.safe_load(own_cards([Card('Say "hello": ü', "00.ipynb")]))
    assert card["title"] == 'Say "hello": ü'
    assert card["type"] == "jupyterlab-commands"
    assert card["source"][0]["id"] == "docmanager:open"
    assert card["source"][0]["args"] == {"path": "00.ipynb"}


def test_cards_for_any_jupyterlab_name_a_notebook_beside_them() -> None:
    (card,) = yaml.safe_load(fresh_cards([Card("Start", "00.ipynb")]))
    assert (card["type"], card["source"]) == ("notebook", "lvkit/00.ipynb")


def test_titles_that_become_file_names_are_good_ones() -> None:
    (card,) = yaml.safe_load(fresh_cards([Card("3. How many: 4/5?", "03.ipynb")]))
    assert card["title"] == "3. How many 45"


def test_the_files_for_any_jupyterlab_are_the_notebooks_not_run(tmp_path: Path) -> None:
    card_file, *copies = write_fresh_files(tmp_path, shipped_notebooks())
    assert [path.name for path in copies] == list(shipped_notebooks())
    shown = yaml.safe_load(card_file.read_text())
    assert {str(tmp_path / card["source"]) for card in shown} == {str(path) for path in copies}
    for path in copies:
        copy = nbformat.read(path, as_version=4)
        original = nbformat.reads(shipped_notebooks()[path.name].decode(), as_version=4)
        nbformat.validate(copy)
        assert len(copy.cells) == len(original.cells)
        assert [c.source for c in copy.cells if c.cell_type == "code"] == [
            c.source for c in original.cells if c.cell_type == "code"
        ]
        assert not any(cell.get("outputs") for cell in copy.cells)


def test_links_between_notebooks_lead_from_fresh_copy_to_fresh_copy() -> None:
    shown = cards({"01_a.ipynb": notebook("# Load data"), "02_b.ipynb": notebook("# The model")})
    copy = json.loads(fresh_copy(notebook("Next: [2](02_b.ipynb), not 02_b.ipynb."), shown))
    assert copy["cells"][1]["source"] == "Next: [2](2.%20The%20model.ipynb), not 02_b.ipynb."
