"""The kernel that reports run in: the interpreter that asks for the report.

A Jupyter kernel is usually found by its name among those registered on a machine, and "python3" may
be any Python, with or without lvkit. A report takes no chances: its kernel is started with the
interpreter that is running now, needs no registration, reads no start-up files of the user's, and
uses one thread, so that many reports can run side by side. All of them can be stopped at once.

Imported only when a report is made, since it needs Jupyter.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_ATTEMPTS = 3
_START_SECONDS = 60
_OUTPUT_SECONDS = 60  # outputs may arrive after their cell has ended; nbclient allows them 4
_SILENT = logging.NullHandler()


class HaltedError(RuntimeError):
    """Raised for a notebook that was stopped on purpose."""


class Halt:
    """A switch that stops notebooks: once pulled, their kernels are killed and none starts.

    Examples
    --------
    >>> halt = Halt()
    >>> halt.pull()
    >>> halt.check()
    Traceback (most recent call last):
    lvkit.batch.kernel.HaltedError: the notebooks were stopped
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kernels: set[int] = set()
        self._pulled = False

    def check(self) -> None:
        """Raise :class:`HaltedError` if the switch has been pulled."""
        if self._pulled:
            raise HaltedError("the notebooks were stopped")

    def pull(self) -> None:
        """Kill all kernels that run now, and let none start from now on."""
        with self._lock:
            self._pulled = True
            for process in self._kernels:
                _kill(process)

    def started(self, process: int) -> None:
        """Take note of a kernel; kill it if the switch has been pulled meanwhile."""
        with self._lock:
            self._kernels.add(process)
            if self._pulled:
                _kill(process)

    def ended(self, process: int) -> None:
        """Forget a kernel before its number may belong to another process."""
        with self._lock:
            self._kernels.discard(process)


def _kill(process: int) -> None:
    """Kill a kernel and whatever it has started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process, signal.SIGKILL)  # a kernel leads a group of its own
        else:
            os.kill(process, signal.SIGTERM)
    except OSError:  # it has just ended
        pass


class OwnKernelManager(AsyncKernelManager):
    """Starts a kernel with the running interpreter, whatever kernels are registered."""

    halt: Halt | None = None
    folder: Path | None = None
    _process: int | None = None

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that starts the kernel."""
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            env=dict.fromkeys(_THREADS, "1"),
            display_name="Python 3",
            language="python",
        )

    async def start_kernel(self, **settings: Any) -> None:  # type: ignore[override]
        """Start the kernel, within reach of the switch; its connection file is in its folder."""
        if self.folder is not None:  # what a killed process leaves goes away with the folder
            self.connection_file = os.fspath(self.folder / "kernel.json")
        if self.halt is None:
            await super().start_kernel(**settings)
            return
        self.halt.check()
        await super().start_kernel(**settings)
        self._process = getattr(self.provisioner, "pid", None)
        if self._process is not None:
            self.halt.started(self._process)

    async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
        """Leave nothing behind, and the switch's reach."""
        if self.halt is not None and self._process is not None:
            self.halt.ended(self._process)
        await super().cleanup_resources(restart=restart)


def run_notebook(
    source: str,
    parameters: Mapping[str, Any],
    target: Path,
    *,
    timeout: int | None = None,
    halt: Halt | None = None,
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
    timeout : int, optional
        Seconds that a cell may take; None for as long as it likes.
    halt : Halt, optional
        A switch that stops the notebook from another thread.
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
    TimeoutError
        If a cell takes longer than `timeout`; its kernel is stopped.
    HaltedError
        If the switch was pulled before a kernel was there.

    Notes
    -----
    Kernels that start at the same moment sometimes take the same port, so that one of them never
    answers. A kernel that does not start is tried again twice; nothing has run by then.
    """
    # The error says what went wrong; without a handler, Python prints it a second time.
    logging.getLogger("papermill").addHandler(_SILENT)
    target = target.absolute()  # the kernel works in its folder, not in ours
    (target.parent / "ipython").mkdir(exist_ok=True)
    manager = type(
        "HaltingKernelManager", (OwnKernelManager,), {"halt": halt, "folder": target.parent}
    )
    for attempt in range(1, _ATTEMPTS + 1):
        started: list[bool] = []
        try:
            return papermill.execute_notebook(
                nbformat.reads(source, as_version=4),  # type: ignore[no-untyped-call]
                os.fspath(target),
                dict(parameters),
                progress_bar=False,
                kernel_name="python3",
                language="python",
                start_timeout=_START_SECONDS,
                execution_timeout=timeout,
                iopub_timeout=_OUTPUT_SECONDS,
                kernel_manager_class=manager,
                resources={"metadata": {"path": os.fspath(target.parent)}},
                extra_arguments=[
                    f"--ipython-dir={target.parent / 'ipython'}",
                    "--log-level=CRITICAL",
                ],
                on_notebook_start=lambda started=started, **_: started.append(True),
                on_cell_executed=lambda **_: on_cell(),
            )
        except HaltedError:
            raise
        except RuntimeError:
            if started or attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")  # pragma: no cover
