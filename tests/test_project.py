from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import lvkit

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
MAKEFILE = (ROOT / "Makefile").read_text()
MODULES = sorted((ROOT / "lvkit").rglob("*.py"))
NOT_OURS = {"__pycache__", "build", "dist", "report", "lab", ".git", ".hypothesis"}


def sources() -> Iterator[Path]:
    """Every file of the project, without what tools leave behind."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS and not name.endswith((".egg-info", "_cache", "_checkpoints"))
            if not name.startswith(".venv")
        ]
        yield from (
            Path(folder) / name for name in files if not name.startswith((".coverage", ".git"))
        )


def test_the_version_is_the_same_wherever_it_is_told() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == lvkit.__version__
    assert f"## {lvkit.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_package_is_shipped() -> None:
    setuptools = PYPROJECT["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for path in MODULES if path.name == "__init__.py"}
    packages = {".".join(folder.parts) for folder in folders}
    elsewhere = {name for name in setuptools["package-dir"] if name.startswith("lvkit.")}
    assert set(setuptools["packages"]) == packages | elsewhere
    assert all((ROOT / folder).is_dir() for folder in setuptools["package-dir"].values())


def test_import_lvkit_adds_nothing_slow_to_numpy_and_pandas() -> None:
    slow = {"scipy.stats", "seaborn", "matplotlib", "formulaic", "joblib", "tqdm", "pyarrow"}
    slow |= {"typer", "IPython", "ipywidgets", "papermill", "nbconvert", "nbformat", "yaml"}
    code = "import sys, numpy, pandas; before = {*sys.modules}; from lvkit import *; "
    code += "print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == ""
    assert slow & set(done.stdout.split()) == set()


@pytest.mark.parametrize("package", ["lvkit", "lvkit.plots", "lvkit.widgets"])
def test_every_public_name_can_be_imported_and_dir_shows_no_others(package: str) -> None:
    module = import_module(package)
    names = {*module.__all__, *dir(module)}
    assert {name for name in names if not hasattr(module, name)} == set()
    assert len(dir(module)) < 30


def test_names_of_the_first_release_can_still_be_imported() -> None:
    before = """
        AnchorSuggestions Backtest Batch Calibration CheckReport Cost EvaluationPlan FamilyPosterior
        Fit FitCache LatentSkillModel Limits LvkitError LvkitWarning Need Panel Parameters Plan
        PlanComparison Prediction ReportPaths Selection Study WithinBetween backtest check_file
        compare compare_plans load_fit load_leaderboard plan_compute plan_evaluations read_panel
        required_compute run_report run_reports select_skills simulate simulate_models
        simulation_study within_between
    """
    assert set(before.split()) <= set(lvkit.__all__)


def test_dir_shows_a_newcomer_what_to_call_and_leaves_out_what_is_returned() -> None:
    names = set(dir(lvkit))
    assert names >= {"load_leaderboard", "read_panel", "check_file", "Panel", "LatentSkillModel"}
    assert names >= {"select_skills", "compare", "backtest", "plan_compute", "required_compute"}
    assert names >= {"load_fit", "LvkitError", "PAPER_ANCHORS", "plots", "widgets"}
    assert names.isdisjoint({"Fit", "Selection", "Backtest", "Prediction", "Plan"})


def test_no_file_holds_the_path_of_a_machine() -> None:
    machine = re.compile(r"/(?:root|home/\w+|Users/\w+|work|opt)/\w")
    found = []
    for path in sources():
        if path.suffix in {".png", ".npz", ".parquet", ".pyc"}:
            continue
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1):
            if machine.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_make_help_lists_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE)
    assert phony is not None
    assert re.findall(r"^  (\S+)  +\S", done.stdout, flags=re.MULTILINE) == phony[1].split()


def test_only_other_environments_leave_out_slow_tests() -> None:
    recipes = dict(re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)+)", MAKEFILE, flags=re.MULTILINE))
    shorter = {name for name, recipe in recipes.items() if "not slow" in recipe}
    assert shorter == {"quick", "test-minimum", "test-python"}
    assert "-m" not in PYPROJECT["tool"]["pytest"]["ini_options"]["addopts"]
    assert "not slow" not in recipes["test"]


def test_the_commands_the_readme_names_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    named = set(re.findall(r"^make (\S+)", readme, flags=re.MULTILINE))
    assert named == {"report", "test"}
    assert named <= targets


def test_the_files_the_documents_point_to_exist() -> None:
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text()
        links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
        links += re.findall(r"`((?:lvkit|notebooks|tests|requirements)/[\w/.]+\.\w+)`", text)
        assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_figure_of_the_documents_is_shown_somewhere_and_described() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {}
    for document in documents:
        for alt, link in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", document.read_text()):
            shown[(document.parent / link).resolve()] = alt
    assert set(shown) == set((ROOT / "docs" / "figures").iterdir())
    assert all(len(alt) > 40 for alt in shown.values())


def test_the_lines_of_the_readme_are_python_that_names_public_things() -> None:
    readme = (ROOT / "README.md").read_text()
    pieces = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    lengths = [sum(1 for line in piece.splitlines() if line.strip()) for piece in pieces]
    assert [length <= most for length, most in zip(lengths, (10, 5, 5), strict=True)] == [True] * 3
    used = {
        node.attr
        for node in ast.walk(ast.parse("".join(pieces)))
        if isinstance(node, ast.Attribute)
        if isinstance(node.value, ast.Name) and node.value.id == "lv"
    }
    assert used <= set(lvkit.__all__)


@pytest.mark.parametrize("name", [".ci/run", ".ci/venv", ".ci/find-python", ".ci/find-chromium"])
def test_the_scripts_can_be_run_and_are_sound_shell(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
    shell = "bash" if "bash" in (ROOT / name).read_text().splitlines()[0] else "sh"
    subprocess.run([shell, "-n", str(ROOT / name)], check=True)


def test_a_python_is_found_by_command_and_by_version() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for wanted in (["no-such-python", "python3"], [version]):
        done = subprocess.run(
            [ROOT / ".ci" / "find-python", *wanted],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        code = "import sys; print(sys.version_info >= (3, 11))"
        found = done.stdout.strip()
        assert subprocess.check_output([found, "-c", code], env=environment) == b"True\n"


def test_a_python_that_is_missing_is_told_with_the_remedy(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / ".ci" / "venv", tmp_path / "env", "test", "--", "no-such-python", "9.9"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "lvkit needs Python 3.11 or newer" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / "env").exists()
