"""What the command line needs to speak: exit codes and errors (``console``), results as text.

:mod:`lvkit.cli` has the commands.
"""

from __future__ import annotations

__all__: list[str] = []
