"""Packaging: one list of packages, held in every place, and a wheel that brings all it should."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from wheels import built_wheel, fresh_environment

import lvkit
from lvkit.lab import cards, fresh_copy
from lvkit.tools.files import shipped_notebooks

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What conda-forge calls by another name.
CONDA = {"playwright": "playwright-python"}
SHARED = "share/jupyter/jupyter_app_launcher"


def requirements(*extras: str) -> dict[str, str]:
    """Lower bound by package: the core's and those of some extras, which may name each other."""
    bounds: dict[str, str] = {}
    waiting = [PROJECT["dependencies"]]
    waiting += [PROJECT["optional-dependencies"][extra] for extra in extras]
    for requirement in (text for texts in waiting for text in texts):
        inner = re.fullmatch(r"lvkit\[(.+)\]", requirement)
        if inner:
            bounds |= requirements(*inner[1].split(","))
        else:
            name, bound = requirement.split(">=")
            bounds[name] = bound
    return bounds


@pytest.mark.parametrize(
    ("path", "extra"), [("environment.yml", "test"), ("binder/environment.yml", "all")]
)
def test_the_conda_environments_hold_what_pyproject_asks_for(path: str, extra: str) -> None:
    given = yaml.safe_load((ROOT / path).read_text())["dependencies"]
    given += [text for part in given if isinstance(part, dict) for text in part["pip"]]
    pairs = dict(text.split(">=") for text in given if isinstance(text, str) and ">=" in text)
    assert pairs.pop("python") == PROJECT["requires-python"].removeprefix(">=")
    assert pairs == {CONDA.get(name, name): least for name, least in requirements(extra).items()}


@pytest.mark.parametrize("path", ["environment.yml", "binder/environment.yml"])
def test_the_conda_environments_are_grouped_by_comments(path: str) -> None:
    groups = re.findall(r"^  # (\w+)", (ROOT / path).read_text(), flags=re.MULTILINE)
    assert groups[:4] == ["language", "numbers", "tables", "plots"]


def test_the_lower_bounds_are_the_versions_tested() -> None:
    lines = (ROOT / "requirements" / "minimum.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert pins == requirements("test")


def test_binder_installs_lvkit_itself_with_its_cards() -> None:
    script = ROOT / "binder" / "postBuild"
    assert os.access(script, os.X_OK)
    subprocess.run(["sh", "-n", script], check=True)
    assert "\npython -m pip install --no-deps .\n" in script.read_text()


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["-c", "import lvkit as lv; print(len(lv.load_leaderboard().models))"], "197"),
        (
            ["-c", "from lvkit.widgets import plan_budget; print(plan_budget.__name__)"],
            "plan_budget",
        ),
        (["-m", "lvkit", "--version"], f"lvkit {lvkit.__version__}"),
    ],
)
def test_lvkit_is_imported_in_the_parent_folder_of_a_clone_named_lvkit(
    arguments: list[str], printed: str, tmp_path: Path
) -> None:
    """Where this fails, the environment was made before `setup.py` last changed: install again."""
    (tmp_path / "lvkit").symlink_to(ROOT)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{printed}\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fresh_environment(tmp_path_factory.mktemp("fresh"), wheel)


@pytest.mark.slow
def test_the_wheel_holds_the_cards_the_notebooks_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    data = f"{'-'.join(wheel.name.split('-')[:2])}.data/data/{SHARED}"
    for notebook in shipped_notebooks():
        assert f"lvkit/notebooks/{notebook}" in names
        assert f"{data}/lvkit/{notebook}" in names
    assert f"{data}/jp_app_launcher_lvkit.yaml" in names
    assert {"lvkit/py.typed", "lvkit/__init__.pyi", "lvkit/plots/__init__.pyi"} <= {*names}
    assert "lvkit/widgets/__init__.pyi" in names
    assert [name for name in names if re.search(r"(^|/)(test_|tests/)", name)] == []
    assert wheel.stat().st_size < 6_000_000


@pytest.mark.slow
def test_jupyterlab_beside_an_installed_wheel_shows_the_cards(fresh: Path, tmp_path: Path) -> None:
    ask = (
        "import json, lvkit\n"
        "from jupyter_app_launcher.handler_factory_manager import HandlerFactoryManager\n"
        "from jupyter_app_launcher.handlers import JupyterAppLauncher\n"
        "JupyterAppLauncher.handler_factory_manager = HandlerFactoryManager()\n"
        "shown = JupyterAppLauncher._init_launcher(JupyterAppLauncher, {})\n"
        "print(json.dumps([lvkit.__file__, shown]))\n"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    answer = subprocess.check_output(
        [fresh / "bin" / "python", "-c", ask], env=environment, cwd=tmp_path
    )
    file, shown = json.loads(answer)
    assert Path(file).is_relative_to(fresh)
    expected = cards(shipped_notebooks())
    assert len(shown) == len(expected)
    for card, made in zip(shown, expected, strict=True):
        assert card["sourceCode"].encode() == fresh_copy(
            shipped_notebooks()[made.notebook], expected
        )


@pytest.mark.slow
def test_an_installed_lvkit_copies_its_notebooks(fresh: Path, tmp_path: Path) -> None:
    command = [fresh / "bin" / "lvkit", "notebooks", tmp_path / "mine"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    copied = {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    assert copied == shipped_notebooks()
