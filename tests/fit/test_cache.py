"""A cache of fits: computed once, shared by processes, never damaged and never wrong."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from hostile import members, packed
from waiting import PATIENCE

import lvkit as lv
from lvkit.fit import cache
from lvkit.fit.cache import FitCache

MODEL = lv.LatentSkillModel(n_skills=1, features="log_params")


@pytest.fixture(scope="module")
def panel(small_panel: lv.Panel) -> lv.Panel:
    """Six families and four benchmarks, quick to fit."""
    return small_panel.select(
        families=small_panel.families[:6], benchmarks=small_panel.scores.columns[:4]
    )


@pytest.fixture(scope="module")
def kept(panel: lv.Panel, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The entry of the model's fit to the panel."""
    folder = tmp_path_factory.mktemp("kept")
    FitCache(folder).fit(MODEL, panel)
    return entries(folder)[0].read_bytes()


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.entry"))


def seconds(fit: lv.Fit) -> float:
    """How long a fit took, which tells computations apart."""
    return float(fit.starts["seconds"].sum())


def assert_identical(found: lv.Fit, fit: lv.Fit) -> None:
    for name in ("loglik", "n_params", "converged", "message", "method", "seed", "anchors"):
        assert getattr(found, name) == getattr(fit, name), name
    for name, value in vars(fit.frame).items():
        np.testing.assert_array_equal(getattr(found.frame, name), value, err_msg=name)
    assert found.model == fit.model
    assert found.trace.equals(fit.trace)
    assert found.dropped.equals(fit.dropped)
    with warnings.catch_warnings():  # of few families, by the fit that was not in the cache
        warnings.simplefilter("ignore", lv.LvkitWarning)
        assert found.summary().equals(fit.summary())
        rows = fit.panel.to_frame()[["model", "family", "params_b"]]
        first, second = (f.predict(rows, draws=100).table for f in (found, fit))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


# -- what it gives -------------------------------------------------------------------------------


def test_a_fit_is_computed_once_and_is_the_same_from_the_cache(
    panel: lv.Panel, tmp_path: Path
) -> None:
    first = FitCache(tmp_path / "new" / "folder").fit(MODEL, panel)
    again = FitCache(str(tmp_path / "new" / "folder")).fit(MODEL, panel)
    assert seconds(again) == seconds(first)
    for found in (first, again):
        assert_identical(found, MODEL.fit(panel))


def test_the_fit_of_the_paper_comes_with_its_standard_errors(
    paper_fit: lv.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lv.LatentSkillModel, "fit", lambda *_, **__: paper_fit)
    FitCache(tmp_path).fit(paper_fit.model, paper_fit.panel)
    again = FitCache(tmp_path).fit(paper_fit.model, paper_fit.panel)
    assert "curvature" in again.memo
    assert again.panel is paper_fit.panel
    assert again.summary().equals(paper_fit.summary())
    np.testing.assert_array_equal(again.curvature.scores, paper_fit.curvature.scores)


def test_a_fit_with_slopes_and_another_with_floors_come_back(
    panel: lv.Panel, tmp_path: Path
) -> None:
    for settings in ({"family_slopes": "log_params"}, {"floor": "estimate"}):
        model = lv.LatentSkillModel(n_skills=1, features="log_params", **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lv.LvkitWarning)
            first = FitCache(tmp_path).fit(model, panel)
            assert_identical(FitCache(tmp_path).fit(model, panel), first)


def test_a_fit_that_did_not_converge_is_kept_without_standard_errors(
    panel: lv.Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    fit = MODEL.fit(panel)
    starts = fit.starts.assign(converged=False)
    stopped = replace(fit, converged=False, message="stopped", starts=starts)
    monkeypatch.setattr(lv.LatentSkillModel, "fit", lambda *_, **__: stopped)
    FitCache(tmp_path).fit(MODEL, panel)
    again = FitCache(tmp_path).fit(MODEL, panel)
    assert not again.converged
    assert "curvature" not in again.memo


def test_a_selection_is_computed_once_and_is_the_same_from_the_cache(
    panel: lv.Panel, tmp_path: Path
) -> None:
    folder = FitCache(tmp_path)
    first = folder.select(panel, [2, 1], MODEL)
    again = folder.select(panel, range(1, 3), MODEL, n_jobs=2)
    fresh = lv.select_skills(panel, [1, 2], MODEL)
    pd.testing.assert_frame_equal(again.table, first.table, check_exact=True)
    pd.testing.assert_frame_equal(
        again.table.drop(columns="seconds"),
        fresh.table.drop(columns="seconds"),
        check_exact=True,
    )
    assert list(again.fits) == list(fresh.fits) == [1, 2]
    for k, fit in fresh.fits.items():
        assert_identical(again.fits[k], fit)
    assert again.best().loglik == fresh.best().loglik


def test_without_numbers_a_selection_tries_those_the_data_bear(
    panel: lv.Panel, tmp_path: Path
) -> None:
    some = panel.select(benchmarks=panel.scores.columns[:1])
    assert list(FitCache(tmp_path).select(some, model=MODEL).fits) == [1]


def test_without_a_folder_everything_is_computed_and_nothing_is_kept(
    panel: lv.Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "filelock", None)
    none = FitCache()
    assert none.fit(MODEL, panel) is not none.fit(MODEL, panel)
    assert list(none.select(panel, [1], MODEL).fits) == [1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"starts": 2},
        {"method": "psga"},
        {"model": lv.LatentSkillModel(n_skills=1, features="log_params", clip=0.01)},
        {"model": lv.LatentSkillModel(anchors={"all": "mmlu"}, features="log_params")},
    ],
    ids=["seed", "starts", "method", "clip", "anchors"],
)
def test_other_settings_are_another_entry(
    change: dict[str, Any], panel: lv.Panel, kept: bytes, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fit = MODEL.fit(panel)
    monkeypatch.setattr(lv.LatentSkillModel, "fit", lambda *_, **__: fit)
    FitCache(tmp_path).fit(**({"model": MODEL, "panel": panel} | change))
    FitCache(tmp_path).fit(MODEL, panel)
    assert len(entries(tmp_path)) == 2


def test_the_order_of_the_anchors_is_that_of_the_skills(panel: lv.Panel, tmp_path: Path) -> None:
    one, other = {"a": "mmlu", "b": "arc"}, {"b": "arc", "a": "mmlu"}
    keys = [cache._key("fit", lv.LatentSkillModel(anchors=given), panel) for given in (one, other)]
    assert cache._json(keys[0]) != cache._json(keys[1])


@pytest.mark.parametrize("package", ["lvkit.fit.cache", "numpy", "scipy"])
def test_another_version_is_another_entry(
    package: str, panel: lv.Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cache._key("fit", MODEL, panel)
    monkeypatch.setattr(f"{package}.__version__", "0.0")
    assert cache._key("fit", MODEL, panel) != before


def test_what_is_no_model_or_panel_is_refused(
    panel: lv.Panel, tmp_path: Path, message: Message
) -> None:
    with refused("model", "4") as error:
        FitCache(tmp_path).fit(4, panel)  # type: ignore[arg-type]
    message(error)
    with refused("panel", "x") as error:
        FitCache(tmp_path).select("x", [1])  # type: ignore[arg-type]
    message(error)
    with refused("n_skills", "0") as error:
        FitCache(tmp_path).select(panel, [0])
    message(error)


def test_an_error_keeps_nothing_and_holds_no_lock(
    panel: lv.Panel, tmp_path: Path, message: Message
) -> None:
    many = lv.LatentSkillModel(n_skills=9)
    for _ in range(2):
        with refused("n_skills", "9") as error:
            FitCache(tmp_path).fit(many, panel)
        message(error)
    assert entries(tmp_path) == []


def test_whoever_asks_is_told_what_lvkit_warned_of(
    panel: lv.Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = MODEL.fit(panel)

    def warning(*_: Any, **__: Any) -> lv.Fit:
        warnings.warn("look at this fit", lv.LvkitWarning, stacklevel=2)
        warnings.warn("this library is old", DeprecationWarning, stacklevel=2)
        return fit

    monkeypatch.setattr(lv.LatentSkillModel, "fit", warning)
    told = []
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            FitCache(tmp_path).fit(MODEL, panel)
        told.append([(w.category, str(w.message)) for w in caught])
    assert (DeprecationWarning, "this library is old") in told[0]
    assert [category for category, _ in told[1]] == [lv.LvkitWarning] * len(told[1])
    assert (lv.LvkitWarning, "look at this fit") in told[0]
    assert (lv.LvkitWarning, "look at this fit") in told[1]


# -- damage --------------------------------------------------------------------------------------


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def renewed(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """An entry changed by somebody who knows how to make the checksum right."""
    body = change(content.partition(b"\n")[2])
    return cache._MAGIC + cache._digest(body).encode() + b"\n" + body


def reworded(content: bytes, **fields: Any) -> bytes:
    """An entry with other fields, and checksums that are right."""

    def change(body: bytes) -> bytes:
        parts = members(body)
        text = json.loads(parts["entry.json"]) | fields
        return packed(parts | {"entry.json": json.dumps(text).encode()})

    return renewed(content, change)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"\n",
        lambda content: content[:40],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: flipped(content, 3),
        lambda content: flipped(content, 30),
        lambda content: flipped(content, 100),
        lambda content: flipped(content, len(content) // 2),
        lambda content: flipped(content, len(content) - 5),
        lambda content: os.urandom(1000),
        lambda content: renewed(content, lambda body: b"no zip"),
        lambda content: renewed(content, lambda body: body[: len(body) // 2]),
        lambda content: renewed(content, lambda body: body.replace(b"entry.json", b"other.json")),
        lambda content: reworded(content, fits=2),
        lambda content: reworded(content, fits=10**400),
        lambda content: reworded(content, told="one text"),
        lambda content: reworded(content, told=[1]),
        lambda content: reworded(content, table={"index": [1]}),
        lambda content: reworded(content, more=1),
        lambda content: reworded(content, told=[["deep"] * 9] * 2_000_000),
    ],
)
def test_a_damaged_entry_is_told_and_made_again(
    damage: Callable[[bytes], bytes],
    panel: lv.Panel,
    kept: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    message: Message,
) -> None:
    fit = MODEL.fit(panel)
    monkeypatch.setattr(lv.LatentSkillModel, "fit", lambda *_, **__: fit)
    folder = FitCache(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lv.LvkitWarning)
        folder.fit(MODEL, panel)
        entry = entries(tmp_path)[0]
        entry.write_bytes(damage(kept))
    with pytest.warns(lv.LvkitWarning) as caught:
        assert folder.fit(MODEL, panel).loglik == fit.loglik
    message(caught)
    fresh = seconds(folder.fit(MODEL, panel))
    assert fresh == seconds(fit)
    assert entries(tmp_path) == [entry]


def test_the_answer_to_another_question_is_not_used(
    panel: lv.Panel, tmp_path: Path, message: Message
) -> None:
    folder = FitCache(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lv.LvkitWarning)
        folder.fit(MODEL, panel)
        mine = entries(tmp_path)[0]
        folder.fit(MODEL, panel, seed=7)
    (other,) = set(entries(tmp_path)) - {mine}
    mine.write_bytes(other.read_bytes())
    with pytest.warns(lv.LvkitWarning) as caught:
        assert folder.fit(MODEL, panel).seed == 0
    message(caught)
    assert folder.fit(MODEL, panel).seed == 0


# -- places that cannot be written to ------------------------------------------------------------


def test_a_folder_that_cannot_be_made_is_told_and_the_fit_computed(
    panel: lv.Panel, tmp_path: Path, message: Message
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.warns(lv.LvkitWarning) as caught:
        fit = FitCache(tmp_path / "file").fit(MODEL, panel)
    message(caught)
    assert fit.converged
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_is_told_and_leaves_no_half_entry(
    panel: lv.Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(lv.LvkitWarning) as caught:
        assert FitCache(tmp_path).fit(MODEL, panel).converged
    message(caught)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_is_only_read_still_answers(
    panel: lv.Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    first = FitCache(tmp_path).fit(MODEL, panel)
    monkeypatch.setattr(filelock.FileLock, "acquire", denied)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert seconds(FitCache(tmp_path).fit(MODEL, panel)) == seconds(first)
    with pytest.warns(lv.LvkitWarning) as caught:
        assert FitCache(tmp_path).fit(MODEL, panel, seed=3).seed == 3
    message(caught)
    assert len(entries(tmp_path)) == 1


def test_without_filelock_the_remedy_is_told(
    panel: lv.Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    with refused("FitCache", "filelock", "lvkit[report]") as error:
        FitCache(tmp_path).fit(MODEL, panel)
    message(error)


# -- many at once --------------------------------------------------------------------------------


def test_of_threads_that_ask_at_once_one_computes(
    panel: lv.Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, computed = MODEL.fit(panel), []

    def slow(*_: Any, **__: Any) -> lv.Fit:
        computed.append(threading.get_ident())
        time.sleep(0.2)
        return fit

    monkeypatch.setattr(lv.LatentSkillModel, "fit", slow)
    threads = [
        threading.Thread(target=FitCache(tmp_path).fit, args=(MODEL, panel)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(computed) == 1


def asking(code: str, tmp_path: Path) -> subprocess.Popen[str]:
    """A process that has a cache and a panel, and runs some lines."""
    opening = (
        "import sys, time\nimport lvkit as lv\nfrom lvkit.fit.cache import FitCache\n"
        f"panel = lv.read_panel({str(tmp_path / 'panel.csv')!r})\n"
        "model = lv.LatentSkillModel(n_skills=1, features='log_params')\n"
        f"cache = FitCache({str(tmp_path / 'cache')!r})\n"
    )
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", opening + code], stdout=subprocess.PIPE, text=True
    )


def test_of_processes_that_ask_at_once_one_computes(panel: lv.Panel, tmp_path: Path) -> None:
    panel.write_csv(tmp_path / "panel.csv")
    start = tmp_path / "start"
    wait = f"import pathlib\nprint('ready', flush=True)\nwhile not pathlib.Path({str(start)!r})"
    ask = ".exists(): time.sleep(0.001)\nprint(repr(cache.fit(model, panel).starts.seconds.sum()))"
    processes = [asking(wait + ask, tmp_path) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    start.touch()
    answers = {process.communicate(timeout=PATIENCE)[0] for process in processes}
    assert len(answers) == 1
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(entries(tmp_path / "cache")) == 1


def test_one_that_is_killed_while_it_computes_holds_up_nobody(
    panel: lv.Panel, tmp_path: Path
) -> None:
    panel.write_csv(tmp_path / "panel.csv")
    stuck = (
        "def stuck(*_, **__):\n    print('computing', flush=True)\n    time.sleep(600)\n"
        "lv.LatentSkillModel.fit = stuck\ncache.fit(model, panel)"
    )
    process = asking(stuck, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "computing\n"
    same = lv.read_panel(tmp_path / "panel.csv")
    waiting: list[lv.Fit] = []
    thread = threading.Thread(
        target=lambda: waiting.append(FitCache(tmp_path / "cache").fit(MODEL, same))
    )
    thread.start()
    thread.join(0.3)
    assert waiting == []
    process.send_signal(signal.SIGKILL)
    process.communicate()
    thread.join(PATIENCE)
    assert waiting[0].converged
    assert len(entries(tmp_path / "cache")) == 1


def test_links_in_a_shared_folder_lead_nowhere(
    panel: lv.Panel, tmp_path: Path, message: Message
) -> None:
    folder, precious = FitCache(tmp_path / "cache"), tmp_path / "precious"
    folder.fit(MODEL, panel)
    (entry,) = entries(tmp_path / "cache")
    entry.unlink()
    entry.symlink_to(tmp_path / "made")
    folder.fit(MODEL, panel)
    assert entry.is_file()
    assert not entry.is_symlink()
    assert not (tmp_path / "made").exists()
    entry.unlink()
    precious.write_text("precious")
    entry.with_suffix(".lock").unlink(missing_ok=True)
    entry.with_suffix(".lock").symlink_to(precious)
    with pytest.warns(lv.LvkitWarning) as caught:
        folder.fit(MODEL, panel)
    message(caught)
    assert precious.read_text() == "precious"
