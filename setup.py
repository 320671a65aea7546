"""What pyproject.toml cannot say: launcher cards, and editable installs that work from anywhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.editable_wheel import editable_wheel

ROOT = Path(__file__).resolve().parent
SHARED = "share/jupyter/jupyter_app_launcher"

sys.path.insert(0, str(ROOT))
from lvkit.lab import write_fresh_files  # noqa: E402


class EditableWheel(editable_wheel):  # type: ignore[misc]
    """An editable install that also puts the clone at the end of Python's path.

    Without it, ``import lvkit`` in the parent folder of a clone named ``lvkit`` gives an empty
    package: Python takes a folder without ``__init__.py`` for a namespace package, and does so
    before it asks the finder that setuptools installs. A package on the path takes precedence.
    """

    def _run_build_commands(self, name: str, wheel: str, *folders: str) -> Any:
        Path(wheel, "lvkit_clone.pth").write_text(f"{ROOT}\n")
        return super()._run_build_commands(name, wheel, *folders)


notebooks = {path.name: path.read_bytes() for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
card_file, *copies = (
    str(path.relative_to(ROOT)) for path in write_fresh_files(ROOT / "build" / "cards", notebooks)
)
setup(
    cmdclass={"editable_wheel": EditableWheel},
    data_files=[(SHARED, [card_file]), (f"{SHARED}/lvkit", copies)],
)
