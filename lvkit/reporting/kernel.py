"""The kernel that reports run in: the interpreter that asks for the report.

A Jupyter kernel is usually found by its name among those registered on a machine, and "python3" may
be any Python, with or without lvkit. A report takes no chances: its kernel is started with the
interpreter that is running now, needs no registration, reads no start-up files of the user's, and
uses one thread, so that many reports can run side by side.

Imported only when a report is made, since it needs Jupyter.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

__all__ = ["OwnKernelManager", "run_notebook"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_ATTEMPTS = 3
_START_SECONDS = 60


class OwnKernelManager(AsyncKernelManager):
    """Starts a kernel with the running interpreter, whatever kernels are registered."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that starts the kernel."""
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            env=dict.fromkeys(_THREADS, "1"),
            display_name="Python 3",
            language="python",
        )


def run_notebook(
    source: str,
    parameters: Mapping[str, Any],
    target: Path,
    *,
    on_cell: Callable[[], object] = lambda: None,
) -> Any:
    """Run a notebook with papermill in a kernel of its own.

    Parameters
    ----------
    source : str
        The notebook, as JSON.
    parameters : mapping
        Values for its cell tagged ``parameters``, of JSON's types.
    target : pathlib.Path
        Where papermill keeps the notebook as it runs; the kernel works in that folder.
    on_cell : callable
        Called after every code cell.

    Returns
    -------
    nbformat.NotebookNode
        The notebook with its outputs.

    Raises
    ------
    papermill.PapermillExecutionError
        If a cell fails; `target` holds the notebook as far as it got.

    Notes
    -----
    Kernels that start at the same moment sometimes take the same port, so that one of them never
    answers. A kernel that does not start is tried again twice; nothing has run by then.
    """
    (target.parent / "ipython").mkdir(exist_ok=True)
    notebook = nbformat.reads(source, as_version=4)  # type: ignore[no-untyped-call]
    for attempt in range(1, _ATTEMPTS + 1):
        started: list[bool] = []
        try:
            return _execute(notebook, parameters, target, started, on_cell)
        except RuntimeError:
            if started or attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")  # pragma: no cover


def _execute(
    notebook: Any,
    parameters: Mapping[str, Any],
    target: Path,
    started: list[bool],
    on_cell: Callable[[], object],
) -> Any:
    """Run the notebook once; note in `started` that its kernel has answered."""
    return papermill.execute_notebook(
        notebook,
        os.fspath(target),
        dict(parameters),
        progress_bar=False,
        start_timeout=_START_SECONDS,
        kernel_manager_class=OwnKernelManager,
        resources={"metadata": {"path": os.fspath(target.parent)}},
        extra_arguments=[f"--ipython-dir={target.parent / 'ipython'}", "--log-level=CRITICAL"],
        on_notebook_start=lambda **_: started.append(True),
        on_cell_executed=lambda **_: on_cell(),
    )
