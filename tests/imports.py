"""Check the directions of imports that pyproject.toml declares, as `make lint` does.

import-linter reads packages from folders, and the widgets lie outside of lvkit's. In an unpacked
wheel they are inside.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

from wheels import ROOT, built_wheel


def unpacked_wheel(folder: Path) -> Path:
    """Build a wheel in `folder` and return the folder that it is unpacked into."""
    unpacked = folder / "unpacked"
    with zipfile.ZipFile(built_wheel(folder)) as wheel:
        wheel.extractall(unpacked)
    return unpacked


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the package lvkit that lies in `folder`."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    command = [Path(sysconfig.get_path("scripts"), "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        done = lint_imports(unpacked_wheel(Path(name)))
    print(done.stdout[done.stdout.find("Contracts") :], end="")
    sys.exit(done.returncode)
