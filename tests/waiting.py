"""How tests wait: for something that must happen, never for a length of time.

A busy machine may take long over anything, so a limit is there only for a test that would otherwise
never end: no test fails because something took longer than it usually does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 300  # seconds


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until a condition is true, and return its value."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {PATIENCE} s for {what}"
        time.sleep(0.02)
    return value
