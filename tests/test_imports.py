from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from imports import lint_imports, unpacked_wheel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked_wheel(tmp_path_factory.mktemp("wheel"))


def test_imports_run_in_one_direction(unpacked: Path) -> None:
    done = lint_imports(unpacked)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("widgets/planner.py", "import lvkit.cli.main"),
        ("widgets/table.py", "from lvkit.reports import summary"),
        ("planning/cost.py", "def later():\n    from lvkit.plots import planning"),
        ("data/sizes.py", "import lvkit.data.read"),
        ("tools/files.py", "import lvkit.data.panel"),
        ("plots/drawing.py", "def shown():\n    from IPython.display import display"),
        ("new_module.py", ""),
    ],
)
def test_an_import_in_another_direction_is_reported(
    module: str, line: str, unpacked: Path, tmp_path: Path
) -> None:
    shutil.copytree(unpacked / "lvkit", tmp_path / "lvkit")
    with open(tmp_path / "lvkit" / module, "a") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert f".{Path(module).stem} " in done.stdout.replace("\n", " ")
