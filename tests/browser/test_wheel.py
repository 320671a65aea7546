"""Any JupyterLab beside an installed lvkit, in a real browser."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from browsing import Lab, jupyterlab, until
from wheels import built_wheel, fresh_environment

from lvkit.lab import cards, fresh_cards
from lvkit.tools.files import shipped_notebooks

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def url(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    wheel = built_wheel(tmp_path_factory.mktemp("sources"))
    fresh = fresh_environment(tmp_path_factory.mktemp("fresh"), wheel)
    borrowed = {
        "JUPYTER_PATH": f"{sys.prefix}/share/jupyter",
        "JUPYTER_CONFIG_PATH": f"{sys.prefix}/etc/jupyter",
        "JUPYTERLAB_DIR": f"{sys.prefix}/share/jupyter/lab",
    }
    with jupyterlab(home, [f"{fresh}/bin/python", "-m", "jupyterlab"], **borrowed) as url:
        yield url


@pytest.fixture
def tolerated() -> tuple[str, ...]:
    """The extension fills the notebook it opened a second time, while JupyterLab still draws it.

    JupyterLab then looks for a cell that is gone (``_runOnIdleTime``); it draws the others and the
    new ones, and nothing is lost.
    """
    return ("Cannot read properties of null (reading 'id')",)


def test_a_card_puts_a_fresh_copy_into_the_users_folder(page: Any, url: str, home: Path) -> None:
    lab = Lab(page, url)
    lab.open_launcher()
    shown = lab.cards("fresh copies")
    made = yaml.safe_load(fresh_cards(cards(shipped_notebooks())))
    titles = shown.locator(".jp-LauncherCard-label").all_inner_texts()
    assert titles == [card["title"] for card in made]
    shown.first.click()
    copy = home / f"{titles[0]}.ipynb"
    until(lambda: copy.exists() and copy.stat().st_size, "a copy")
    lab.wait_open(copy.name)
    first = min(shipped_notebooks())
    original = nbformat.reads(shipped_notebooks()[first].decode(), as_version=4)
    copied = nbformat.read(copy, as_version=4)
    assert len(copied.cells) == len(original.cells)
    assert not any(cell.get("outputs") for cell in copied.cells)
