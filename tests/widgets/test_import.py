from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from golden import Message

ROOT = Path(__file__).parent.parent.parent


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def test_without_ipywidgets_the_remedy_is_told(message: Message) -> None:
    code = "import sys; sys.modules['ipywidgets'] = None\n"
    code += "import lvkit as lv\ntry:\n    import lvkit.widgets\n"
    code += "except lv.LvkitError as error:\n    print(error)"
    done = run(code)
    message(done.stdout)


def test_without_ipywidgets_the_help_of_lvkit_is_shown_all_the_same() -> None:
    code = "import sys; sys.modules['ipywidgets'] = None\n"
    code += "import pydoc, lvkit\nprint(pydoc.render_doc(lvkit), 'widgets' in dir(lvkit))"
    done = run(code)
    assert "load_leaderboard" in done.stdout, done.stderr
    assert done.stdout.endswith("False\n")


def test_importing_widgets_loads_no_widget() -> None:
    done = run("import sys, lvkit.widgets; print('ipywidgets' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


def test_there_is_no_other_widget() -> None:
    import lvkit.widgets

    assert dir(lvkit.widgets) == sorted(lvkit.widgets.__all__)
    with pytest.raises(AttributeError, match="explore"):
        lvkit.widgets.explore  # noqa: B018
