"""A wheel of lvkit, and a fresh environment that has it.

The wheel is built from a copy of the sources. The environment borrows the packages of the one that
runs the tests, so that only lvkit itself comes from the wheel.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def built_wheel(folder: Path) -> Path:
    """Build a wheel of the sources as they are, apart from them in `folder`."""
    for name in ("lvkit", "widgets", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-input"]
    subprocess.run([*command, "--wheel-dir", folder / "dist", folder], check=True)
    return next((folder / "dist").glob("lvkit-*.whl"))


def fresh_environment(folder: Path, wheel: Path) -> Path:
    """Make a fresh environment in `folder` and install the wheel in it."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs = subprocess.check_output([python, "-c", ask], text=True).strip()
    (Path(theirs) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-input", wheel]
    subprocess.run(install, check=True)
    return folder
