"""JupyterLab as ``lvkit lab`` opens it, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browsing import Lab, lab_in, write_notebook

from lvkit.lab import cards
from lvkit.tools.files import shipped_notebooks

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with lab_in(home) as url:
        yield url


@pytest.fixture
def lab(page: Any, url: str) -> Lab:
    return Lab(page, url)


def test_the_launcher_shows_a_card_for_each_notebook_in_order(lab: Lab) -> None:
    lab.open_launcher()
    shown = lab.cards("your copies").locator(".jp-LauncherCard-label").all_inner_texts()
    assert shown == [card.title for card in cards(shipped_notebooks())]


def test_a_card_opens_the_users_copy(lab: Lab, home: Path) -> None:
    notebook = home / "mine" / "report.ipynb"
    write_notebook(notebook, "6 * 7")
    lab.open_launcher()
    lab.cards("your copies").last.click()
    lab.wait_open("report.ipynb")
    lab.run_all()
    lab.save()
    (cell,) = nbformat.read(notebook, as_version=4).cells
    assert cell.outputs[0].data["text/plain"] == "42"


def test_the_first_notebook_of_the_path_runs_from_its_card_to_its_end(lab: Lab, home: Path) -> None:
    name = min(shipped_notebooks())
    lab.open_launcher()
    lab.cards("your copies").first.click()
    lab.wait_open(name)
    lab.run_all()
    lab.save()
    made = nbformat.read(home / "mine" / name, as_version=4).cells
    code = [cell for cell in made if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    failed = [out for cell in code for out in cell.outputs if out.output_type == "error"]
    assert failed == []
    images = lab.picture.evaluate_all("images => images.map(image => image.alt)")
    assert images
    assert all(images)
