"""Cards: what JupyterLab's launcher shows of the guided path.

A card is made for each notebook that exists, in the order of their names, titled by the notebook's
own heading. There are two kinds, for the extension jupyter_app_launcher. In the lab, a card opens
the user's copy. In any JupyterLab beside an installed lvkit it opens a fresh copy, since it cannot
know where the user's are; those cards are files of lvkit's wheel, made by ``setup.py`` when it is
built. That is why this module needs nothing but Python.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lvkit.tools.files import make_folder, write_whole

CARDS_FILE = "jp_app_launcher_lvkit.yaml"
_NOT_RUN: dict[str, object] = {"outputs": [], "execution_count": None}
_OWN = "lvkit: the guided path, your copies"
_FRESH = "lvkit: the guided path, fresh copies"


@dataclass(frozen=True)
class Card:
    """One card of the launcher.

    Attributes
    ----------
    title : str
        What the card says: the place on the path, if the notebook has one, and its heading.
    notebook : str
        The notebook's file name.
    """

    title: str
    notebook: str


def cards(notebooks: Mapping[str, bytes]) -> list[Card]:
    """Return a card for each notebook, in the order of their names.

    Parameters
    ----------
    notebooks : mapping of str to bytes
        File names and contents, as `lvkit.tools.files.shipped_notebooks` gives them.

    Examples
    --------
    >>> heading = b'{"cells": [{"cell_type": "markdown", "source": ["# Load data"]}]}'
    >>> cards({"01_load_data.ipynb": heading})
    [Card(title='1. Load data', notebook='01_load_data.ipynb')]
    """
    return [Card(_title(name, notebooks[name]), name) for name in sorted(notebooks)]


def own_cards(shown: Sequence[Card]) -> str:
    """Return the launcher's file for a JupyterLab that runs in the folder of the notebooks."""
    return _yaml(
        {
            "title": card.title,
            "description": f"Open your copy of {card.notebook}",
            "type": "jupyterlab-commands",
            "source": [
                {
                    "label": card.title,
                    "id": "docmanager:open",
                    "args": {"path": card.notebook},
                }
            ],
            "catalog": _OWN,
        }
        for card in shown
    )


def fresh_cards(shown: Sequence[Card]) -> str:
    """Return the launcher's file for any JupyterLab: its notebooks lie in ``lvkit`` beside it.

    There a card's title is the name of the copy's file, too.
    """
    return _yaml(
        {
            "title": _file_title(card),
            "description": f"Put a fresh copy of {card.notebook} into the folder shown, open it",
            "type": "notebook",
            "source": f"lvkit/{card.notebook}",
            "catalog": _FRESH,
        }
        for card in shown
    )


def fresh_copy(content: bytes, shown: Sequence[Card] = ()) -> bytes:
    r"""Return a notebook as the launcher can open it: without outputs, each cell one string.

    Links to other notebooks lead to their fresh copies, if their cards are given in `shown`.

    Examples
    --------
    >>> cell = b'{"cell_type": "code", "source": ["1 +\\n", "1"], "outputs": [{}]}'
    >>> fresh_copy(b'{"cells": [' + cell + b"]}")
    b'{"cells": [{"cell_type": "code", "source": "1 +\\n1", "outputs": []}]}'
    """
    notebook = json.loads(content)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        for card in shown:
            link = quote(f"{_file_title(card)}.ipynb")
            cell["source"] = cell["source"].replace(f"]({card.notebook})", f"]({link})")
        cell |= {name: empty for name, empty in _NOT_RUN.items() if name in cell}
    return json.dumps(notebook, ensure_ascii=False).encode()


def write_fresh_files(place: Path, notebooks: Mapping[str, bytes]) -> list[Path]:
    """Write the cards for any JupyterLab to `place`, and the notebooks to ``lvkit`` in it."""
    make_folder(place / "lvkit")
    shown = cards(notebooks)
    copies = {name: fresh_copy(content, shown) for name, content in notebooks.items()}
    return [
        write_whole(place / CARDS_FILE, fresh_cards(shown)),
        *(write_whole(place / "lvkit" / name, copies[name]) for name in copies),
    ]


def _file_title(card: Card) -> str:
    """Return a card's title as it can be part of a file's name."""
    return re.sub(r'[\\/:*?"<>|]', "", card.title)


def _title(name: str, content: bytes) -> str:
    """Return a card's title: by the notebook's heading on the path, else by the file's name."""
    number = re.match(r"\d+", name)
    plain = Path(name).stem.replace("_", " ").strip("0123456789 ").capitalize()
    if number is None:
        return plain
    found = re.search(r"^# +(?:\d+\W+)?(.+?)[ #]*$", _prose(content), re.MULTILINE)
    return f"{int(number[0])}. {found[1] if found else plain}"


def _prose(content: bytes) -> str:
    """Return the text of a notebook's markdown cells."""
    cells = json.loads(content)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def _yaml(items: Iterable[Mapping[str, object]]) -> str:
    """Return a list of mappings as YAML; a value in JSON is one in YAML."""
    lines = []
    for item in items:
        pairs = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in item.items()]
        lines.append("- " + "\n  ".join(pairs))
    return "\n".join(lines) + "\n"
