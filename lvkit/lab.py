"""The lab: JupyterLab on a copy of the guided path, with a card for each of its notebooks.

What JupyterLab needs is written for the time it runs into a folder of its own, and named in an
environment variable that only adds to what is there: cards for the launcher, which the extension
jupyter_app_launcher reads, and a kernel that is this very interpreter, whatever kernels are
registered on the machine. Nothing of the user's is touched: notebooks that are in the folder
already stay as they are.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from lvkit.cards import CARDS_FILE, cards, own_cards
from lvkit.errors import LvkitError
from lvkit.tools.files import make_folder, shipped_notebooks, work_folder, write_whole

Outcome = Literal["copied", "unchanged", "kept", "overwritten"]

# What is told of each notebook when notebooks are copied.
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
