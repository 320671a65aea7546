from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MODULES = sorted((ROOT / "widgets").glob("*.py"))


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def test_without_ipywidgets_the_remedy_is_told() -> None:
    code = "import sys; sys.modules['ipywidgets'] = None\n"
    code += "import lvkit as lv\ntry:\n    import lvkit.widgets\n"
    code += "except lv.LvkitError as error:\n    print(error)"
    done = run(code)
    assert done.stdout == (
        "lvkit.widgets: widgets need ipywidgets, which is not installed. Install lvkit[lab].\n"
    ), done.stderr


def test_importing_widgets_loads_no_widget() -> None:
    done = run("import sys, lvkit.widgets; print('ipywidgets' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


def test_there_is_no_other_widget() -> None:
    import lvkit.widgets

    assert dir(lvkit.widgets) == sorted(lvkit.widgets.__all__)
    with pytest.raises(AttributeError, match="no attribute 'explore'"):
        lvkit.widgets.explore  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_each_module_opens_with_a_docstring_and_has_its_tests(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    names = [target for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)
             for target in ast.walk(node) if isinstance(target, ast.Name)]  # fmt: skip
    assert "__all__" in {name.id for name in names}
    if path.name != "__init__.py":
        assert (Path(__file__).parent / f"test_{path.name}").is_file()
