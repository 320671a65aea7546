"""What the command line needs to speak: exit codes and errors (``console``), results as text.

What several commands take is in ``arguments``. :mod:`lvkit.cli` has the commands; those with many
options are in ``planning`` and ``reports``.
"""

from __future__ import annotations

__all__: list[str] = []
