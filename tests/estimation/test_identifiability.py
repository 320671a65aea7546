"""What a fit reports although the data do not determine it."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.cli.as_text import fit_text
from lvkit.cli.main import main
from lvkit.estimation.estimate import fit_model
from lvkit.estimation.identifiability import concerned, covariance_errors, warn_if_unidentified
from lvkit.estimation.standard_errors import all_unidentified
from lvkit.reports.summary import summarise

FEATURES = "log_params + log_tokens"

NAMES = ["mmlu", "arc", "hellaswag", "gsm8k", "ifeval", "bbh"]


def truth(n_skills: int = 1, *, spread: float = 1.0, rho: float = 0.0) -> lv.Parameters:
    """Skills on five benchmarks; `spread` scales how much families differ, not the features."""
    loadings = np.array([[0.9, 0.0], [0.0, 0.8], [0.5, 0.4], [0.3, 0.6], [0.7, 0.2]])[:, :n_skills]
    if n_skills == 1:
        loadings = np.array([[0.9], [0.8], [0.6], [0.5], [0.7]])
    slopes = np.array([[1.2, 0.6], [0.5, 0.9]])[:n_skills] / spread
    correlation = np.full((n_skills, n_skills), rho)
    np.fill_diagonal(correlation, 1.0)
    return lv.Parameters(
        loadings * spread, np.zeros(5), np.full(5, 80.0), np.zeros(5), slopes, correlation
    )


def panel(params: lv.Parameters, families: int, seed: int, models: int = 3) -> lv.Panel:
    table = lv.simulate_models(families, models, seed=seed)
    names = NAMES[: params.n_benchmarks]
    return lv.simulate(params, table, features=FEATURES, benchmarks=names, seed=seed)


def quiet(data: lv.Panel, n_skills: int = 1, **settings: Any) -> lv.Fit:
    model = lv.LatentSkillModel(n_skills=n_skills, features=FEATURES, **settings)
    return lv.Fit.of(fit_model(model, data))


def kinds(fit: lv.Fit) -> list[str]:
    return [record.kind for record in fit.unidentified]


# -- the criterion -------------------------------------------------------------------------------


@pytest.mark.parametrize("families", [5, 50])
def test_known_effects_give_the_errors_of_a_sample_covariance(families: int) -> None:
    rho = 0.6
    factor = np.linalg.cholesky(np.array([[1.0, rho], [rho, 1.0]]))
    log_sd, z = covariance_errors(factor, np.zeros((families, 2, 2)))
    np.testing.assert_allclose(log_sd, 1.0 / np.sqrt(2.0 * families))
    np.testing.assert_allclose(z[0, 1], 1.0 / np.sqrt(families))  # Fisher


def test_the_errors_do_not_depend_on_the_rotation_of_the_latent_vector() -> None:
    rng = np.random.default_rng(0)
    factor = np.linalg.cholesky(np.array([[1.0, 0.3, 0.1], [0.3, 1.0, 0.5], [0.1, 0.5, 1.0]]))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    noise = rng.normal(size=(9, 3, 3))
    posterior = np.linalg.inv(np.eye(3) + noise @ np.swapaxes(noise, 1, 2))
    turned = rotation.T @ posterior @ rotation
    for a, b in zip(
        covariance_errors(factor, posterior),
        covariance_errors(factor @ rotation, turned),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_correlation_that_no_family_shows_has_no_error_and_the_spreads_do() -> None:
    factor = np.linalg.cholesky(np.array([[1.0, 0.4], [0.4, 1.0]]))
    only = [np.eye(2) - 0.9 * np.outer(row, row) for row in factor]
    log_sd, z = covariance_errors(factor, np.repeat(only, 10, axis=0))
    assert (log_sd < 0.5).all()
    assert z[0, 1] > 3.0


# -- no false alarms -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_skills", [1, 2])
def test_healthy_panels_raise_no_alarm(n_skills: int) -> None:
    alarms = [kinds(quiet(panel(truth(n_skills), 20, seed), n_skills)) for seed in range(8)]
    assert alarms == [[]] * 8


def test_four_families_that_differ_raise_no_alarm() -> None:
    alarms = [kinds(quiet(panel(truth(), 4, seed))) for seed in range(6)]
    assert alarms == [[]] * 6


def test_the_embedded_models_raise_no_alarm(paper_fit: lv.Fit) -> None:
    assert all_unidentified(paper_fit) == ()


# -- families that do not differ -----------------------------------------------------------------


@pytest.fixture(scope="module")
def alike() -> list[lv.Fit]:
    """Fits to tables whose families do not differ: exactly zero variance, or nearly."""
    return [quiet(panel(truth(spread=1e-4), 12, seed)) for seed in range(6)]


def test_families_that_do_not_differ_are_reported(alike: list[lv.Fit], message: Message) -> None:
    reported = [kinds(fit) == ["family_variance"] for fit in alike]
    assert sum(reported) >= 5  # a likelihood ratio above 1 by chance is not reported
    record = next(fit.unidentified[0] for fit in alike if fit.unidentified)
    assert record.value < 0.1
    message(record.sentence)


def test_nearly_zero_is_reported_as_well_as_zero(alike: list[lv.Fit]) -> None:
    values = [record.value for fit in alike for record in fit.unidentified]
    assert min(values) < 1e-3 < 0.01 < max(values)


def test_what_is_measured_in_an_undefined_unit_has_no_errors(
    alike: list[lv.Fit], message: Message
) -> None:
    fit = next(fit for fit in alike if fit.unidentified)
    with pytest.warns(lv.LvkitWarning) as caught:
        summary = fit.summary()
    message(caught)
    lost = summary.index[~summary["determined"]]
    own = [n for n in summary.index if n.startswith(("loading", "slope"))]
    assert sorted(lost) == sorted(own)
    assert summary.loc[own, ["std_error", "ci_lower", "ci_upper"]].isna().all(axis=None)


@pytest.mark.filterwarnings("ignore:the data do not determine")
def test_a_plan_for_such_a_skill_is_unbounded_and_one_for_a_benchmark_is_not(
    alike: list[lv.Fit],
) -> None:
    fit = next(fit for fit in alike if fit.unidentified)
    budgets = [1e21, 1e23]
    plan = lv.plan_compute(fit, budgets, target=f"skill:{fit.skills[0]}")
    assert np.isneginf(plan.table["lower"]).all()
    assert np.isposinf(plan.table["upper"]).all()
    assert fit.unidentified[0].sentence in plan.words
    benchmark = lv.plan_compute(fit, budgets, target="benchmark:arc")
    assert np.isfinite(benchmark.table[["lower", "upper"]]).all(axis=None)
    assert fit.unidentified[0].sentence not in benchmark.words


def test_a_score_on_such_a_skill_is_refused_and_one_on_its_anchor_is_not(
    alike: list[lv.Fit],
) -> None:
    fit = next(fit for fit in alike if fit.unidentified)
    (skill, anchor), *_ = fit.anchors.items()
    with pytest.raises(lv.LvkitError, match=f"benchmark:{anchor}") as caught:
        lv.required_compute(fit, target=f"skill:{skill}", score=1.0)
    assert caught.value.problems[0].where == "target"
    assert lv.required_compute(fit, target=f"benchmark:{anchor}", score=0.5).feasible


@pytest.mark.filterwarnings("ignore:the data do not determine")
def test_predicted_skills_without_a_unit_are_unbounded_and_scores_are_not(
    alike: list[lv.Fit],
) -> None:
    fit = next(fit for fit in alike if fit.unidentified)
    models = fit.panel.models.iloc[:3]
    skills = fit.predict_skills(models, draws=200)
    assert skills[["mean", "median"]].isna().all(axis=None)
    assert np.isneginf(skills["lower"]).all()
    assert np.isposinf(skills["upper"]).all()
    scores = fit.predict(models, draws=200).table
    assert np.isfinite(scores[["mean", "median", "lower", "upper"]]).all(axis=None)


@pytest.mark.filterwarnings("ignore:the data do not determine")
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_no_interval_of_a_plan_excludes_its_estimate(alike: list[lv.Fit], level: float) -> None:
    for fit in [*alike, *(quiet(panel(truth(), 6, seed)) for seed in range(4))]:
        for target in (f"skill:{fit.skills[0]}", "benchmark:mmlu"):
            table = lv.plan_compute(fit, [1e20, 1e24], target=target, level=level).table
            for name in ("params_b_", "tokens_t_", "tokens_per_param_", ""):
                estimate = table[name.removesuffix("_") or "value"]
                lower, upper = table[f"{name}lower"], table[f"{name}upper"]
                held = (lower <= estimate * (1 + 1e-6)) & (estimate <= upper * (1 + 1e-6))
                assert (held | lower.isna()).all(), (target, name)


def test_one_skill_of_several_is_reported() -> None:
    loadings = np.array([[0.9, 0.0], [0.8, 0.0], [0.7, 0.0], [0.0, 1.0], [0.0, 0.8], [0.0, 0.9]])
    slopes = np.array([[0.8, 0.5], [1.5e4, -0.8e4]])
    zeros = np.zeros(6)
    params = lv.Parameters(
        loadings * [1.0, 1e-4], zeros, np.full(6, 200.0), zeros, slopes, np.eye(2)
    )
    # The variance at zero is seen as such, or as a skill that copies the other.
    copied, without = (quiet(panel(params, 24, seed), 2).unidentified for seed in (0, 2))
    assert [record.kind for record in copied] == ["correlation"]
    assert [(record.kind, record.names) for record in without] == [
        ("family_variance", ("bbh_skill",))
    ]


# -- correlations --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def apart() -> lv.Fit:
    """Two benchmarks on one half of the families, two on the other."""
    loadings = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.9], [0.0, 0.7]])
    zeros, slopes = np.zeros(4), np.array([[1.2, 0.6], [0.5, 0.9]])
    params = lv.Parameters(loadings, zeros, np.full(4, 80.0), zeros, slopes, np.eye(2))
    table = panel(params, 10, seed=0).to_frame()
    first = table["family"].isin(sorted(set(table["family"]))[:5])
    table.loc[first, ["mmlu", "arc"]] = np.nan
    table.loc[~first, ["hellaswag", "gsm8k"]] = np.nan
    return quiet(lv.Panel.from_frame(table), 2)


def test_a_correlation_that_nothing_determines_is_reported(
    apart: lv.Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str], message: Message
) -> None:
    (record,) = apart.unidentified
    assert record.kind == "correlation"
    assert set(record.names) == set(apart.skills)
    assert record.value == apart.correlation.iloc[0, 1]
    assert record.sentence[:40] in fit_text(apart)
    message(record.sentence)
    path = tmp_path / "apart.csv"
    apart.panel.write_csv(path)
    assert main(["fit", str(path), "--skills", "2", "--features", FEATURES, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["unidentified"][0]["kind"] == "correlation"
    assert captured.err == ""


def test_only_that_correlation_is_without_an_error(apart: lv.Fit) -> None:
    free = apart.free_parameters
    lost = concerned(apart, apart.unidentified)
    names = [name for name, off in zip(free.names, lost, strict=True) if off]
    assert names == [name for name in free.names if name.startswith("correlation")]


def test_the_report_says_it(apart: lv.Fit) -> None:
    selection = lv.select_skills(apart.panel, [1, 2], model=apart.model)
    assert apart.unidentified[0].sentence in str(summarise(selection, apart))


# -- few families, slopes of their own, flat directions -----------------------------------------


@pytest.mark.parametrize(("families", "expected"), [(2, True), (3, True), (5, False)])
def test_fewer_families_than_variances_and_correlations_are_reported(
    families: int, expected: bool
) -> None:
    fit = quiet(panel(truth(2), families, seed=1, models=8), 2)
    assert ("few_families" in kinds(fit)) == expected


def test_slopes_on_a_feature_that_never_varies_within_a_family_are_refused(
    message: Message,
) -> None:
    table = panel(truth(), 10, seed=1).to_frame()
    table["tokens_t"] = table.groupby("family")["tokens_t"].transform("first")
    with refused("family_slopes") as caught:
        quiet(lv.Panel.from_frame(table), family_slopes="log_tokens")
    message(caught)
    assert caught.value.problems[0].where == "family_slopes"


def test_slopes_on_a_feature_that_varies_within_one_family_are_reported() -> None:
    table = panel(truth(), 10, seed=1).to_frame()
    constant = table["family"] != "family-4"
    first = table.groupby("family")["tokens_t"].transform("first")
    table.loc[constant, "tokens_t"] = first[constant]
    fit = quiet(lv.Panel.from_frame(table), family_slopes="log_tokens")
    record = fit.unidentified[0]
    assert (record.kind, record.names, record.value) == ("family_slopes", ("log_tokens",), 1.0)


def test_flat_directions_are_named(apart: lv.Fit) -> None:
    fit = quiet(panel(truth(), 8, seed=0))
    assert all_unidentified(fit) == ()
    curvature = fit.curvature
    at = fit.free_parameters.names.index("intercept[arc]")
    u = curvature.free_jacobian[at] / np.linalg.norm(curvature.free_jacobian[at])
    across = np.eye(len(u)) - np.outer(u, u)
    flat = replace(curvature, information=across @ curvature.information @ across)
    fit = replace(fit)
    fit.memo.get("measured", lambda: flat)
    (record,) = all_unidentified(fit)
    assert (record.kind, record.names) == ("flat", ("intercept[arc]",))
    assert "intercept[arc]" in fit_text(fit)


# -- warnings ------------------------------------------------------------------------------------


def test_fitting_warns_once_for_each_record_at_the_users_line(apart: lv.Fit) -> None:
    with pytest.warns(lv.LvkitWarning) as caught:
        fit = lv.LatentSkillModel(n_skills=2, features=FEATURES).fit(apart.panel)
    assert [str(w.message) for w in caught] == [r.sentence for r in fit.unidentified]
    assert caught[0].filename == __file__


def test_a_healthy_fit_warns_of_nothing(small_fit: lv.Fit) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_unidentified(small_fit)
