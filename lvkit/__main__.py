"""``python -m lvkit``: the command line without a script on the path."""

from __future__ import annotations

import sys

from lvkit.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
