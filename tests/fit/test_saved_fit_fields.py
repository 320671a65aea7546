from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.fit.latent_skill_model import load_fit
from lvkit.fit.saved_fit_fields import FIT, SELECTION, check_agreement, check_shapes

TESTS = Path(__file__).parents[1]
NIGHTLY = os.environ.get("LVKIT_NIGHTLY") == "1"


# -- hostile files -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is read from /proc")
@pytest.mark.parametrize("name", ["new", "schema-1", "schema-1-calibrated"])
def test_whatever_is_in_a_file_it_is_refused_or_the_fit_that_was_saved(
    name: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """Hundreds of edits, and bombs, under a limit on memory; LVKIT_NIGHTLY=1 tries thousands."""
    path = tmp_path / "saved.lvkit"
    if name == "new":
        load_fit(TESTS / "saved" / "schema-1-calibrated.lvkit").save(path)
    else:
        path.write_bytes((TESTS / "saved" / f"{name}.lvkit").read_bytes())
    recwarn.clear()
    seed, count = ("1", "20000") if NIGHTLY else ("0", "200")
    done = subprocess.run(
        [sys.executable, str(TESTS / "hostile.py"), str(path), seed, count],
        capture_output=True,
        text=True,
        check=True,
    )
    *bad, peak = done.stdout.splitlines()
    assert bad == []
    assert int(peak.split()[1]) < 1024


# -- shapes --------------------------------------------------------------------------------------

SHAPES = {
    "loadings": (5, 2), "factor": (1, 2, 2), "slopes": (2, 3), "intercepts": (5,),
    "log_precisions": (5,), "floors": (5,), "latent_means": (4, 2),
    "latent_covariances": (4, 2, 2),
}  # fmt: skip
CURVATURE = {
    "curvature_vector": (9,), "curvature_information": (9, 9), "curvature_complete": (9, 9),
    "curvature_scores": (4, 9),
}  # fmt: skip
SIZES = {"J": range(1, 6), "K": range(2, 3), "L": range(1, 9), "n": range(9, 10)}


def test_shapes_that_agree_are_accepted() -> None:
    check_shapes(SHAPES, SIZES)
    check_shapes(SHAPES | CURVATURE, SIZES)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"loadings": (6, 2)}, "loadings"),
        ({"loadings": (5,)}, "loadings"),
        ({"factor": (1, 2, 3)}, "latent_means"),
        ({"latent_means": (10**9, 2), "latent_covariances": (10**9, 2, 2)}, "latent_means"),
        ({"floors": (4,)}, "floors"),
        ({"another": (1,)}, "another"),
        ({"curvature_vector": (9,)}, "curvature_complete"),
        (CURVATURE | {"curvature_scores": (3, 9)}, "curvature_scores"),
        (CURVATURE | {"curvature_vector": (8,)}, "curvature_vector"),
    ],
)
def test_shapes_that_do_not_agree_are_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        check_shapes(SHAPES | change, SIZES)


def test_the_latent_variables_are_as_many_as_the_skills_and_the_design_say() -> None:
    odd = {"factor": (1, 2, 3), "latent_means": (4, 3), "latent_covariances": (4, 3, 3)}
    with pytest.raises(ValueError, match="factor"):
        check_shapes(SHAPES | odd, SIZES)


# -- parts that must agree -----------------------------------------------------------------------


def scaled(name: str, factor: float) -> Callable[[lv.Fit], lv.Fit]:
    def change(fit: lv.Fit) -> lv.Fit:
        return replace(fit, frame=replace(fit.frame, **{name: getattr(fit.frame, name) * factor}))

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda fit: replace(fit, n_params=fit.n_params + 1), "n_params"),
        (lambda fit: replace(fit, model=lv.LatentSkillModel(n_skills=3)), "model"),
        (lambda fit: replace(fit, converged=not fit.converged), "starts"),
        (lambda fit: replace(fit, trace=fit.trace.iloc[1:]), "starts"),
        (lambda fit: replace(fit, starts=fit.starts.assign(behind=1.0)), "starts"),
        (lambda fit: replace(fit, latent_covariances=-fit.latent_covariances), "covariances"),
        (lambda fit: replace(fit, frame=replace(fit.frame, floors=fit.frame.floors + 0.1)),
         "floors"),
        (scaled("loadings", -1.0), "loadings"),
        (scaled("factor", 2.0), "loadings"),
        (scaled("log_precisions", 1e4), "log_precisions"),
    ],
)  # fmt: skip
def test_parts_that_do_not_agree_are_refused(
    change: Callable[[lv.Fit], lv.Fit], named: str, small_fit: lv.Fit
) -> None:
    check_agreement(small_fit)
    with pytest.raises(ValueError, match=named):
        check_agreement(change(small_fit))


def test_the_table_of_a_selection_is_declared(small_panel: lv.Panel) -> None:
    from lvkit.tools.json_tables import table_to_json

    table = lv.select_skills(small_panel, [1]).table
    SELECTION.check(table_to_json(table), "table")
    with pytest.raises(ValueError, match="aic"):
        SELECTION.check(table_to_json(table.assign(aic=np.nan)), "table")


def test_what_is_no_text_of_a_fit_is_refused(message: Message) -> None:
    with refused(kind=ValueError) as error:
        FIT.check({}, "the text")
    message(error)
