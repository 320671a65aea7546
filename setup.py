"""What pyproject.toml cannot say: launcher cards, which are made when lvkit is built."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
SHARED = "share/jupyter/jupyter_app_launcher"

sys.path.insert(0, str(ROOT))
from lvkit.cards import write_fresh_files  # noqa: E402

notebooks = {path.name: path.read_bytes() for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
card_file, *copies = (
    str(path.relative_to(ROOT)) for path in write_fresh_files(ROOT / "build" / "cards", notebooks)
)
setup(data_files=[(SHARED, [card_file]), (f"{SHARED}/lvkit", copies)])
