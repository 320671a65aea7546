"""Work: what takes longer than a moment, done beside the notebook, watched and stopped.

While a cell runs, a notebook hears no click. So long work runs in a thread of its own. It is given
a progress bar to pass to the library's ``progress=``; Stop makes that bar raise :class:`Stopped` at
the next step, as if somebody had interrupted it, and whatever the work had handed over by then is
kept.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import ipywidgets

from lvkit.errors import LvkitError
from lvkit.tools.progress import Progress, ProgressFlavour

from .listening import listening
from .tool import labelled

if TYPE_CHECKING:
    from .tool import Tool


class Stopped(KeyboardInterrupt):
    """Somebody pressed Stop; nothing but the work itself may take this for an error."""


class Work:
    """Long work of a widget, one at a time, with progress and a Stop button.

    Parameters
    ----------
    tool : Tool
        The widget it belongs to, which says what happened.
    finished : callable, optional
        Called with this object behind the tool's guard when the work is over, however it ended.
    locked : sequence of widgets
        Controls that are disabled while the work runs, its start button among them.

    Attributes
    ----------
    view : ipywidgets.Box
        The Stop button, the bar and a few words, to be put among the tool's children.
    stop_button : ipywidgets.Button
        Enabled while the work runs.
    bar : ipywidgets.IntProgress
        How far it is.
    words : ipywidgets.HTML
        What it is doing.
    result : object
        What the work returned; None until then, and if it was stopped or failed.
    outcome : {"", "done", "stopped", "failed"}
        How the last work ended; empty before and while it runs.

    Examples
    --------
    >>> from lvkit.tools.progress import progress_bar
    >>> from lvkit.widgets.tool import Tool
    >>> def count(progress):
    ...     with progress_bar(progress, total=3, label="Counting") as bar:
    ...         for _ in range(3):
    ...             bar.update()
    ...     return "counted"
    >>> work = Work(Tool("Counting"))
    >>> work.start(count)
    >>> work.wait(), work.outcome, work.result, work.bar.value
    (True, 'done', 'counted', 3)
    """

    def __init__(
        self,
        tool: Tool,
        *,
        finished: Callable[[Work], object] | None = None,
        locked: Sequence[Any] = (),
    ) -> None:
        self._tool, self._finished, self.locked = tool, finished, tuple(locked)
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._stop = threading.Event()
        self.result: Any = None
        self.outcome = ""
        self.stop_button = labelled(
            ipywidgets.Button, "Stop", "end the work at its next step and keep what is done",
            icon="stop", disabled=True,
        )  # fmt: skip
        self.bar = labelled(ipywidgets.IntProgress, "Progress", "how far the work is")
        self.words = ipywidgets.HTML()
        self.view = ipywidgets.Box(
            [self.stop_button, self.bar, self.words], layout={"flex_flow": "row wrap"}
        )
        tool.on_click(self.stop_button, lambda _: self.stop())

    @property
    def running(self) -> bool:
        """Whether the work is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, function: Callable[[ProgressFlavour], Any]) -> None:
        """Begin work in a thread of its own and return at once.

        Parameters
        ----------
        function : callable
            Is given what the library takes as ``progress=``; its value becomes `result`. What it
            hands over on its way (to a list, to the widget) is kept when it is stopped.

        Raises
        ------
        LvkitError
            If the work before is not over.
        """
        if self.running:
            raise LvkitError("the work is still running", remedy="Wait for it, or press Stop.")
        self._stop.clear()
        self.result, self.outcome, self._error = None, "", None
        self.bar.value = 0
        self._lock_controls(True)
        self._thread = threading.Thread(
            target=self._run, args=(function,), name="lvkit work", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ask the work to end at its next step; it may take a moment."""
        self._stop.set()
        self.stop_button.disabled = True
        if self.running:
            self._say("Stopping at the next step …")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the work is over, in a cell or a test; not in a callback.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most; None waits to the end.

        Returns
        -------
        bool
            Whether it is over.

        Raises
        ------
        Exception
            What the work failed with, once, if the tool's ``raise_on_exception`` is set.
        """
        if self._thread is not None:
            self._thread.join(timeout)
        if not self.running and self._error is not None and self._tool.raise_on_exception:
            error, self._error = self._error, None
            raise error
        return not self.running

    def _run(self, function: Callable[[ProgressFlavour], Any]) -> None:
        """Do the work, then say how it ended; runs in the thread."""
        heard: list[str] = []
        try:
            with listening() as heard:
                self.result = function(self._flavour)
            self.outcome = "done"
        except Stopped:
            self.outcome = "stopped"
        except Exception as error:
            self.outcome, self._error = "failed", error
        self.stop_button.disabled = True
        self._say({"done": "Done.", "stopped": "Stopped.", "failed": "Failed."}[self.outcome])
        try:
            self._tool.call(self._end, list(heard))
        except Exception as error:  # the notice has said it; `wait` raises it
            self._error = error
        finally:
            self._lock_controls(False)

    def _end(self, heard: Sequence[str]) -> None:
        """Tell the widget that the work is over; what failed is said by the tool's guard."""
        notice = self._tool.notice
        if self.outcome == "stopped":
            notice.say("Stopped. What was done before is kept.")
        if self._finished is not None:
            self._finished(self)
        if self._error is not None:
            raise self._error
        if heard:
            notice.warn("\n".join([text for text in (notice.text, *heard) if text]))

    def _lock_controls(self, running: bool) -> None:
        for control in self.locked:
            control.disabled = running
        self.stop_button.disabled = not running

    def _flavour(self, *, total: int | None, desc: str) -> Progress:
        """Make the bar that the work is given."""
        self.bar.max, self.bar.value = max(total or 1, 1), 0
        return _Bar(self, desc)

    def _say(self, text: str) -> None:
        self.words.value = html.escape(text)

    def _step(self, by: int, text: str) -> None:
        if self._stop.is_set():
            raise Stopped
        self.bar.value += by
        self._say(text)


class _Bar:
    """What the library sees of :class:`Work`: a bar like tqdm's."""

    def __init__(self, work: Work, label: str) -> None:
        self._work, self._label, self._more = work, label, ""
        self.update(0)

    def update(self, n: int = 1) -> None:
        """Move on by `n` steps, or stop here."""
        self._work._step(n, ": ".join(filter(None, (self._label, self._more))))

    def set_postfix_str(self, s: str = "") -> None:
        """Show a few words behind the label."""
        self._more = s
        self.update(0)

    def close(self) -> None:
        """Leave the bar as it stands."""

    def __enter__(self) -> _Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
