"""JupyterLab on a copy of the notebooks, with a launcher card for each.

What JupyterLab needs is written for the time it runs into a folder of its own, and named in an
environment variable that only adds to what is there: cards for the launcher, which the extension
jupyter_app_launcher reads, and a kernel that is this very interpreter, whatever kernels are
registered on the machine. Nothing of the user's is touched: notebooks that are in the folder
already stay as they are.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from lvkit.errors import LvkitError
from lvkit.tools.files import make_folder, shipped_notebooks, work_folder, write_whole

Outcome = Literal["copied", "unchanged", "kept", "overwritten"]

# What is printed for each notebook when notebooks are copied.
COPYING: dict[Outcome, str] = {
    "copied": "copied",
    "unchanged": "is there already, unchanged:",
    "kept": "KEPT as yours is (--force overwrites it):",
    "overwritten": "overwritten",
}

_NEEDED = ("jupyterlab", "jupyter_app_launcher", "ipykernel", "ipywidgets")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def copy_notebooks(
    folder: str | os.PathLike[str], *, force: bool = False
) -> list[tuple[Path, Outcome]]:
    """Copy the notebooks that come with lvkit to a folder; keep what is there.

    Parameters
    ----------
    folder : path-like
        Where to; made if it is not there.
    force : bool
        Overwrite notebooks that differ, too.

    Returns
    -------
    list of (pathlib.Path, str)
        Each notebook and what was done: "copied", "unchanged" (there already, the same), "kept"
        (there already, differing) or "overwritten".

    Raises
    ------
    LvkitError
        If the folder or a file in it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first, again = copy_notebooks(folder), copy_notebooks(folder)
    >>> {outcome for _, outcome in first}, {outcome for _, outcome in again}
    ({'copied'}, {'unchanged'})
    """
    make_folder(folder)
    done = []
    for name, content in shipped_notebooks().items():
        target = Path(folder) / name
        outcome = _outcome(target, content, force)
        if outcome in ("copied", "overwritten"):
            write_whole(target, content)
        done.append((target, outcome))
    return done


def copied_text(done: Sequence[tuple[Path, Outcome]]) -> str:
    """Return what `copy_notebooks` did, in a line or two.

    Examples
    --------
    >>> print(copied_text([(Path("a/1.ipynb"), "copied"), (Path("a/2.ipynb"), "kept")]))
    1 notebook copied to 'a'.
    1 notebook is kept as yours is; for fresh copies choose another folder.
    """
    folder = str(done[0][0].parent) if done else ""
    copied = sum(outcome in ("copied", "overwritten") for _, outcome in done)
    kept = sum(outcome == "kept" for _, outcome in done)
    lines = [f"{_notebooks(copied)} copied to '{folder}'."]
    if kept:
        verb, yours = ("is", "yours is") if kept == 1 else ("are", "yours are")
        lines.append(
            f"{_notebooks(kept)} {verb} kept as {yours}; for fresh copies choose another folder."
        )
    return "\n".join(lines)


def folder_and_options(arguments: Sequence[str]) -> tuple[Path, list[str]]:
    """Return the folder, which stands first if it is given, and the options for JupyterLab.

    Examples
    --------
    >>> folder_and_options(["--no-browser", "--port", "8890"])[1]
    ['--no-browser', '--port', '8890']
    """
    given = bool(arguments) and not arguments[0].startswith("-")
    folder = Path(arguments[0]) if given else Path("lvkit-notebooks")
    return folder, list(arguments[given:])


def write_lab_files(place: Path) -> None:
    """Write the launcher's cards and the kernel as a Jupyter data path at `place`."""
    from ipykernel.kernelspec import write_kernel_spec

    settings = {"display_name": "Python 3", "env": dict.fromkeys(_THREADS, "1")}
    write_kernel_spec(make_folder(place / "kernels") / "python3", overrides=settings)
    launcher = make_folder(place / "jupyter_app_launcher")
    write_whole(launcher / CARDS_FILE, own_cards(cards(shipped_notebooks())))


def lab_command(folder: Path, options: Sequence[str] = ()) -> list[str]:
    """Return the command that starts JupyterLab in `folder`, with more options of its own.

    Each folder has its own workspace, so that the tabs that were open come back and no other
    layout is changed.
    """
    workspace = f"lvkit-{zlib.crc32(os.fsencode(folder)):08x}"
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/workspaces/{workspace}",
        *options,
    ]


def open_lab(folder: str | os.PathLike[str], options: Sequence[str] = ()) -> int:
    """Run JupyterLab on the notebooks in `folder` until it is shut down.

    Parameters
    ----------
    folder : path-like
        Where the notebooks are; see `copy_notebooks`.
    options : sequence of str
        Passed on to JupyterLab, such as ``--no-browser``.

    Returns
    -------
    int
        JupyterLab's exit code.

    Raises
    ------
    LvkitError
        If JupyterLab, or what lvkit's notebooks need in it, is not installed.

    Notes
    -----
    Ctrl-C reaches JupyterLab too, which asks whether it is meant; so this waits for its answer.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise LvkitError(
            f"not installed: {', '.join(missing)}",
            where="the lab",
            remedy="pip install 'lvkit[lab]' brings JupyterLab and what the notebooks need in it.",
        )
    with work_folder() as place:
        write_lab_files(place)
        paths = [str(place), os.environ.get("JUPYTER_PATH", "")]
        environment = os.environ | {"JUPYTER_PATH": os.pathsep.join(filter(None, paths))}
        command = lab_command(Path(folder).resolve(), options)
        with subprocess.Popen(command, env=environment) as process:
            return _outwait(process)


def _outwait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process to end, however often Ctrl-C is pressed."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _outcome(target: Path, content: bytes, force: bool) -> Outcome:
    """Say what is to be done about one notebook."""
    if not target.exists():
        return "copied"
    with suppress(OSError):  # one that cannot be read differs
        if target.is_file() and target.read_bytes() == content:
            return "unchanged"
    return "overwritten" if force else "kept"


def _notebooks(count: int) -> str:
    """Return "1 notebook", "2 notebooks" and so on."""
    return f"{count} notebook" + ("" if count == 1 else "s")


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
