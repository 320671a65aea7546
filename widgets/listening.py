"""Listening: what lvkit warns of while a callback or a thread works, kept for the widget.

A warning printed under a notebook's cell, or into the log of a server, is seen by nobody. Python's
own way to record warnings is for one thread at a time; here several listen at once, each to its
own thread, and what is not lvkit's goes where it went before.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lvkit.errors import LvkitWarning

_lock = threading.Lock()
_heard: dict[int, list[str]] = {}
"""What each listening thread heard; the outermost listener of a thread hears for the inner ones."""
_catching: list[warnings.catch_warnings[None]] = []


@contextmanager
def listening() -> Iterator[list[str]]:
    """Yield a list that fills with the texts of lvkit's warnings in this thread, each once.

    Examples
    --------
    >>> with listening() as heard:
    ...     warnings.warn("few scores", LvkitWarning)
    ...     warnings.warn("few scores", LvkitWarning)
    >>> heard
    ['few scores']
    """
    thread = threading.get_ident()
    if thread in _heard:
        yield _heard[thread]
        return
    with _lock:
        if not _heard:
            _begin()
        heard = _heard[thread] = []
    try:
        yield heard
    finally:
        with _lock:
            del _heard[thread]
            if not _heard:
                _catching.pop().__exit__(None, None, None)


def _begin() -> None:
    """Show lvkit's warnings to those who listen, and all others as before."""
    catching = warnings.catch_warnings()
    catching.__enter__()
    _catching.append(catching)
    warnings.simplefilter("always", LvkitWarning)
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        heard = _heard.get(threading.get_ident())
        if heard is None or not issubclass(category, LvkitWarning):
            before(message, category, *place, **more)
        elif str(message) not in heard:
            heard.append(str(message))

    warnings.showwarning = show
