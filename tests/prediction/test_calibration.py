"""What held-out scores teach: laws of the calibration, and that it keeps what it promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message
from scipy import stats

import lvkit as lv
from lvkit.estimation import standard_errors
from lvkit.prediction import calibration
from lvkit.prediction.calibration import Calibration, own_residuals
from lvkit.prediction.predict import Prediction
from lvkit.prediction.request import read_request

RECORD = ["lineage", "family", "model", "benchmark", "keep", "z", "own", "distance"]
FAMILIES = 18


@pytest.fixture(scope="module", autouse=True)
def _few_parameter_draws() -> Any:
    """A tenth of the draws: laws hold for any number of them, and tests are quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "_PARAMETER_DRAWS", 8)
        yield


def fitted(panel: lv.Panel) -> lv.Fit:
    model = lv.LatentSkillModel(anchors={"skill": "bench_1"}, features="log_params")
    return model.fit(panel)


@pytest.fixture(scope="module")
def drawn() -> lv.Panel:
    """A panel from the model: four models in each family, each family a lineage."""
    truth = lv.Parameters(
        loadings=np.array([[0.8], [0.6], [0.9], [0.4], [0.7], [0.5]]),
        intercepts=np.linspace(-0.5, 0.5, 6),
        precisions=np.full(6, 60.0),
        floors=np.zeros(6),
        slopes=np.array([[1.0]]),
        correlation=np.eye(1),
    )
    return lv.simulate(
        truth, lv.simulate_models(FAMILIES, 4, seed=4), features="log_params", seed=4
    )


@pytest.fixture(scope="module")
def known(drawn: lv.Panel) -> lv.Panel:
    """All but the largest model of each family."""
    sizes = drawn.models.groupby("family")["params_b"]
    return drawn.select(
        models=drawn.models.index[drawn.models["params_b"] < sizes.transform("max")]
    )


@pytest.fixture(scope="module")
def calibrated(known: lv.Panel) -> lv.Fit:
    return fitted(known).calibrate(keep=(0, 1, 2))


@pytest.fixture(scope="module")
def few(drawn: lv.Panel) -> lv.Panel:
    """Six lineages, one of them with two families, in any order."""
    some = drawn.select(families=drawn.families[:7]).to_frame()
    some["lineage"] = some["family"].replace({"family-2": "family-1"})
    return lv.Panel.from_frame(some, benchmarks=drawn.benchmarks)


@pytest.fixture(scope="module")
def few_fit(few: lv.Panel) -> lv.Fit:
    return fitted(few).calibrate(keep=(1,))


def table(fit: lv.Fit) -> pd.DataFrame:
    assert fit.calibration is not None
    return fit.calibration.records


def made(z: np.ndarray, *, own: Any = 0.0, distance: Any = 0.7, keep: Any = 1) -> Calibration:
    """A calibration of normal scores, lineages x scores."""
    lineage = np.arange(len(z))[:, None]
    columns = {"lineage": lineage, "z": z, "own": own, "distance": distance, "keep": keep}
    return Calibration(pd.DataFrame({k: np.ravel(v + 0 * z) for k, v in columns.items()}))


def ask(fit: lv.Fit, **changes: Any) -> Any:
    row = {"model": "x", "family": "family-1", "params_b": 100.0} | changes
    return read_request(fit, pd.DataFrame([row]), "error")


def quantile(found: Calibration, fit: lv.Fit, p: float, own: float = 0.0, **changes: Any) -> float:
    request = ask(fit, **changes)
    return float(found.normal_scores(p, request, np.full((1, 6), own))[0, 0])


# -- it keeps what it promises -------------------------------------------------------------------


def test_where_the_model_is_right_held_out_scores_are_standard_normal(calibrated: lv.Fit) -> None:
    for _, rows in table(calibrated).groupby("keep"):
        means = rows.groupby("lineage")["z"].mean()  # lineages are independent
        assert abs(means.mean()) < 4.0 * means.std() / np.sqrt(len(means))
        assert 0.85 < rows["z"].std() < 1.2


def test_where_the_model_is_right_there_is_nothing_to_shift(calibrated: lv.Fit) -> None:
    assert calibrated.calibration is not None
    spread = calibrated.calibration.of_families
    assert spread is not None
    assert abs(spread.shift) < 0.25
    assert spread.growth < 0.3


@pytest.fixture(scope="module")
def larger(calibrated: lv.Fit, known: lv.Panel, drawn: lv.Panel) -> Prediction:
    """Predictions of the models that were left out."""
    asked = drawn.models.loc[~drawn.models.index.isin(known.models.index)]
    return calibrated.predict(asked, draws=1_000, level=0.9)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_calibrated_intervals_cover_what_they_say(
    level: float, larger: Prediction, drawn: lv.Panel
) -> None:
    lower, upper = 0.5 - 0.5 * level, 0.5 + 0.5 * level
    found = larger.quantiles([lower, upper]).assign(family=larger.table["family"])
    y = drawn.scores.stack().loc[list(zip(found["model"], found["benchmark"], strict=True))]
    inside = (found[lower] <= y.to_numpy()) & (y.to_numpy() <= found[upper])
    by_family = inside.groupby(found["family"]).mean()
    # A chance is set aside, so m lineages like each other are covered by more.
    target = min(level * (1.0 + 0.625 / FAMILIES), 1.0)
    error = by_family.std() / np.sqrt(FAMILIES)
    assert by_family.mean() == pytest.approx(target, abs=3.0 * error + 0.01)


def test_calibrated_intervals_of_unknown_recipes_cover_the_population(
    calibrated: lv.Fit, drawn: lv.Panel
) -> None:
    rows = drawn.models.assign(family=None)
    found = calibrated.predict(rows, level=0.8, draws=400).table
    y = drawn.scores.stack().loc[list(zip(found["model"], found["benchmark"], strict=True))]
    inside = (found["lower"] <= y.to_numpy()) & (y.to_numpy() <= found["upper"])
    assert inside.mean() == pytest.approx(0.8, abs=0.12)  # 18 families' latent variables


def test_the_errors_that_calibrating_has_measured_are_not_measured_again(
    few_fit: lv.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standard_errors, "measure", pytest.fail)
    assert np.isfinite(few_fit.summary()["std_error"]).any()


def test_too_narrow_predictions_are_stretched(few_fit: lv.Fit) -> None:
    z = 2.0 * np.random.default_rng(0).standard_normal((200, 20))
    assert quantile(made(z), few_fit, 0.975) == pytest.approx(2.0 * 1.96, rel=0.06)


def test_too_wide_predictions_are_narrowed(few_fit: lv.Fit) -> None:
    z = 0.5 * np.random.default_rng(0).standard_normal((200, 20))
    assert quantile(made(z), few_fit, 0.9) == pytest.approx(0.5 * 1.28, rel=0.06)


def test_each_lineage_has_the_same_weight(few_fit: lv.Fit) -> None:
    # One lineage of many scores far out does not outweigh many lineages of few near by.
    rng = np.random.default_rng(0)
    near = made(rng.standard_normal((50, 2))).records
    far = made(5.0 * rng.standard_normal((1, 5_000))).records.assign(lineage=-1)
    both = Calibration(pd.concat([near, far], ignore_index=True))
    assert quantile(both, few_fit, 0.75) < 0.9


# -- shift, growth and lineages ------------------------------------------------------------------


def test_what_a_family_is_better_at_shifts_its_quantiles(few_fit: lv.Fit) -> None:
    rng = np.random.default_rng(0)
    own = rng.standard_normal((100, 10))
    found = made(0.6 * own + 0.3 * rng.standard_normal((100, 10)), own=own)
    spread = found.of_families
    assert spread is not None
    assert spread.shift == pytest.approx(0.6, abs=0.03)
    assert quantile(found, few_fit, 0.5, own=2.0) == pytest.approx(1.2, abs=0.08)
    assert quantile(found, few_fit, 0.5, own=-2.0) == pytest.approx(-1.2, abs=0.08)


def test_the_spread_grows_with_the_distance_where_held_out_scores_did(few_fit: lv.Fit) -> None:
    rng = np.random.default_rng(0)
    distance = rng.uniform(0.1, 2.0, (200, 10))
    z = rng.standard_normal((200, 10)) * distance**0.5
    found = made(z, distance=distance)
    largest = few_fit.panel.models.query("family == 'family-1'")["params_b"].max()
    near, far = (quantile(found, few_fit, 0.9, params_b=largest * 10**d) for d in (0.2, 1.8))
    assert far / near == pytest.approx(9.0**0.5, rel=0.25)


def test_the_spread_never_shrinks_with_the_distance(few_fit: lv.Fit) -> None:
    rng = np.random.default_rng(0)
    distance = rng.uniform(0.1, 2.0, (200, 10))
    found = made(rng.standard_normal((200, 10)) / distance, distance=distance)
    assert found.of_families is not None
    assert found.of_families.growth == 0.0


def test_quantiles_rise_with_the_probability(calibrated: lv.Fit) -> None:
    assert calibrated.calibration is not None
    for family in ("family-1", None):
        found = [
            quantile(calibrated.calibration, calibrated, p, own=0.5, family=family)
            for p in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
        ]
        assert (np.diff(found) > 0.0).all()


def test_fewer_lineages_give_wider_intervals(few_fit: lv.Fit) -> None:
    z = np.tile(stats.norm.ppf((np.arange(400) + 0.5) / 400), (40, 1))
    widths = [quantile(made(z[:m]), few_fit, 0.95) for m in (40, 12, 5)]
    assert widths == sorted(widths)
    assert widths[0] < 0.9 * widths[2]


def test_a_level_beyond_what_the_lineages_vouch_for_is_told(
    few_fit: lv.Fit, message: Message
) -> None:
    rows = pd.DataFrame({"model": ["x"], "family": ["family-1"], "params_b": [400.0]})
    with pytest.warns(lv.LvkitWarning) as caught:
        few_fit.predict(rows, draws=50, level=0.9)
    message(caught, "6", "0.86")


def test_beyond_what_the_lineages_vouch_for_limits_are_no_narrower_than_the_models_own(
    few_fit: lv.Fit,
) -> None:
    found = made(np.tile(np.linspace(-0.5, 0.5, 9), (3, 1)))
    assert quantile(found, few_fit, 0.975) == pytest.approx(stats.norm.ppf(0.975))


def test_growth_is_shrunk_and_bounded(few_fit: lv.Fit) -> None:
    z = np.array([[0.01, 5.0]] * 4)
    found = made(z, distance=np.array([0.2, 0.5])).of_families
    assert found is not None
    assert found.growth <= 0.5


def test_intervals_of_unknown_recipes_are_symmetric(calibrated: lv.Fit) -> None:
    assert calibrated.calibration is not None
    for p in (0.6, 0.9, 0.975):
        low, high = (
            quantile(calibrated.calibration, calibrated, q, family=None) for q in (1.0 - p, p)
        )
        assert low == pytest.approx(-high, abs=1e-9)
    assert quantile(calibrated.calibration, calibrated, 0.5, family=None) == pytest.approx(0.0)


# -- records -------------------------------------------------------------------------------------


def test_records_have_a_row_for_each_held_out_score(calibrated: lv.Fit, known: lv.Panel) -> None:
    records = table(calibrated)
    assert list(records.columns) == RECORD
    counts = records.groupby("keep").size()
    assert counts.to_dict() == {keep: FAMILIES * (3 - keep) * 6 for keep in (0, 1, 2)}
    assert not records.duplicated(["model", "benchmark", "keep"]).any()
    families = known.models["family"].loc[records["model"]]
    assert records["family"].tolist() == families.tolist()
    assert np.isfinite(records["z"]).all()


def test_whole_families_are_recorded_without_distance_and_residual(calibrated: lv.Fit) -> None:
    whole = table(calibrated).query("keep == 0")
    assert whole["distance"].isna().all()
    assert (whole["own"] == 0.0).all()
    rest = table(calibrated).query("keep > 0")
    assert (rest["distance"] > 0.0).all()
    assert (rest.groupby(["family", "benchmark", "keep"])["own"].nunique() == 1).all()


def test_the_calibrated_fit_is_the_fit(few: lv.Panel, few_fit: lv.Fit) -> None:
    plain = fitted(few)
    assert plain.calibration is None
    assert few_fit.loglik == plain.loglik
    assert few_fit.loadings.equals(plain.loadings)


def test_a_calibrated_fit_predicts_calibrated_intervals(few_fit: lv.Fit) -> None:
    rows = pd.DataFrame({"model": ["x"], "family": ["family-1"], "params_b": [400.0]})
    assert few_fit.predict(rows, draws=200, level=0.8).intervals == "calibrated"
    other = few_fit.predict(rows, draws=200, intervals="model")
    plain = replace(few_fit, calibration=None).predict(rows, draws=200)
    pd.testing.assert_frame_equal(other.table, plain.table)


def test_limits_of_the_table_are_the_calibrated_quantiles(few_fit: lv.Fit) -> None:
    rows = pd.DataFrame({"model": ["x"], "family": ["family-1"], "params_b": [400.0]})
    prediction = few_fit.predict(rows, draws=400, level=0.8)
    found = prediction.quantiles([0.1, 0.5, 0.9])
    for p, name in ((0.1, "lower"), (0.5, "median"), (0.9, "upper")):
        np.testing.assert_allclose(found[p], prediction.table[name], atol=1e-12)
    between = prediction.table[["lower", "mean", "upper"]].to_numpy()
    assert (np.diff(between, axis=1) > 0.0).all()


def test_own_residuals_are_the_mean_normal_score_around_the_familys_curve(
    few_fit: lv.Fit, few: lv.Panel
) -> None:
    found = own_residuals(few_fit, ask(few_fit))[0]
    params, models = few_fit.params, few.models.query("family == 'family-1'")
    x = np.log10(models["params_b"].to_numpy()) - few_fit.feature_means[0]
    theta = few_fit.family_effects.loc["family-1"].iloc[0] + params.slopes[0, 0] * x
    mean = 1.0 / (1.0 + np.exp(-(np.outer(theta, params.loadings[:, 0]) + params.intercepts)))
    a, b = mean * params.precisions, (1.0 - mean) * params.precisions
    z = stats.norm.ppf(stats.beta.cdf(few.scores.loc[models.index], a, b))
    np.testing.assert_allclose(found, z.mean(axis=0), atol=2e-3)


def test_without_evidence_there_are_no_residuals(few_fit: lv.Fit) -> None:
    assert (own_residuals(few_fit, ask(few_fit, family=None)) == 0.0).all()


# -- same numbers, and no leaks ------------------------------------------------------------------


def test_one_worker_and_two_give_identical_numbers(few: lv.Panel, few_fit: lv.Fit) -> None:
    import joblib

    # Threads, so that the workers see this module's smaller number of draws.
    with joblib.parallel_config(backend="threading"):
        two = fitted(few).calibrate(keep=(1,), n_jobs=2)
    pd.testing.assert_frame_equal(table(two), table(few_fit), check_exact=True)


def test_the_order_of_the_rows_does_not_matter(few: lv.Panel, few_fit: lv.Fit) -> None:
    rows = few.to_frame().sample(frac=1.0, random_state=3)
    turned = fitted(lv.Panel.from_frame(rows, benchmarks=few.benchmarks)).calibrate(keep=(1,))
    pd.testing.assert_frame_equal(table(turned), table(few_fit), check_exact=True)


def test_progress_counts_the_hold_outs(few: lv.Panel) -> None:
    from tqdm import tqdm

    bars = []

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            bars.append(self)

    fitted(few).calibrate(keep=(3,), progress=Bar)
    assert [(bar.n, bar.total) for bar in bars] == [(6, 6)]


def test_held_out_scores_do_not_enter_their_own_prediction(
    few: lv.Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fold,) = (f for f in calibration.folds(few, few.models.index, 1) if f.lineage == "family-1")
    scores = few.to_frame().set_index("model")
    other = scores.copy()
    names = list(few.scores.columns)
    other.loc[list(fold.test), names] = 1.0 - scores.loc[list(fold.test), names]
    seen = []
    original = calibration.records

    def watched(fit: lv.Fit, panel: lv.Panel, fold: Any, found: Any, request: Any) -> pd.DataFrame:
        seen.append((fit, found))
        return original(fit, panel, fold, found, request)

    monkeypatch.setattr(calibration, "records", watched)
    start = fitted(few)
    changed = lv.Panel.from_frame(other.reset_index(), benchmarks=few.benchmarks)
    tables = [calibration._hold_out(replace(start, panel=p), fold, 0) for p in (few, changed)]
    assert len(seen) == 2
    for name in ("expected", "precision", "skills"):
        first, second = (getattr(found, name) for _, found in seen)
        np.testing.assert_array_equal(first, second)
    assert (tables[0]["z"] != tables[1]["z"]).all()
    assert tables[0]["own"].equals(tables[1]["own"])
    assert not set(fold.test) & set(seen[0][0].panel.models.index)


# -- refusals ------------------------------------------------------------------------------------


def refusal(fit: lv.Fit, **options: Any) -> str:
    with pytest.raises(lv.LvkitError) as caught:
        fit.calibrate(**options)
    return str(caught.value)


def test_nothing_to_hold_out_is_refused(few_fit: lv.Fit, message: Message) -> None:
    text = refusal(few_fit, keep=(4, 5))
    message(text, "4", "0", "1")


@pytest.mark.parametrize("keep", [1, (), "1", None])
def test_what_is_no_set_of_numbers_is_refused(keep: Any, few_fit: lv.Fit, message: Message) -> None:
    text = refusal(few_fit, keep=keep)
    message(text, keep, "0", "1", "2")


@pytest.mark.parametrize("keep", [-1, 1.5, "two", None])
def test_a_number_of_kept_models_that_is_none_is_refused(
    keep: Any, few_fit: lv.Fit, message: Message
) -> None:
    message(refusal(few_fit, keep=(1, keep)), keep)


def test_seeds_and_workers_that_are_none_are_refused(few_fit: lv.Fit, message: Message) -> None:
    message(refusal(few_fit, seed=-1), "-1")
    message(refusal(few_fit, n_jobs=0), "n_jobs", "0")


def test_a_fit_that_did_not_converge_is_refused(few_fit: lv.Fit, message: Message) -> None:
    text = refusal(replace(few_fit, converged=False, message="stopped"))
    message(text)


@pytest.mark.parametrize(
    ("keep", "family", "quoted"),
    [
        ((1,), None, ["0"]),
        ((0,), "family-1", ["1"]),
    ],
)
def test_what_was_never_held_out_is_refused(
    keep: tuple[int, ...], family: Any, quoted: list[str], calibrated: lv.Fit, message: Message
) -> None:
    some = table(calibrated).query("keep in @keep")
    fit = replace(calibrated, calibration=Calibration(some))
    rows = pd.DataFrame({"model": ["x"], "family": [family], "params_b": [5.0]})
    with pytest.raises(lv.LvkitError) as caught:
        fit.predict(rows, draws=100, intervals="calibrated")
    message(caught, *quoted)
    with pytest.warns(lv.LvkitWarning) as caught:
        prediction = fit.predict(rows, draws=100, seed=1)
    message(caught)
    assert prediction.intervals == "model"
    own = fit.predict(rows, draws=100, seed=1, intervals="model")
    pd.testing.assert_frame_equal(prediction.table, own.table)


def test_one_model_per_family_calibrates_unknown_families_only(
    known: lv.Panel, message: Message
) -> None:
    largest = known.models.sort_values("params_b").groupby("family").tail(1).index
    fit = fitted(known.select(models=largest))
    with pytest.warns(lv.LvkitWarning) as caught:
        fit = fit.calibrate(seed=0)
    message(caught)
    assert set(table(fit)["keep"]) == {0}
    rows = pd.DataFrame({"model": ["a", "b"], "family": [None, None], "params_b": [5.0, 9.0]})
    assert fit.predict(rows, level=0.8, draws=100).intervals == "calibrated"
    rows.loc[1, "family"] = known.models.loc[largest[0], "family"]
    with pytest.warns(lv.LvkitWarning) as caught:
        assert fit.predict(rows, draws=100).intervals == "model"
    message(caught)


def test_ten_lineages_leave_a_sixteenth_of_the_chance_for_something_unlike_them(
    few_fit: lv.Fit,
) -> None:
    # Blom: (5/8) / (10 + 1/4) of the mass lies beyond; the rest is spread over the twenty normal
    # scores of both signs, the largest of which stands at 39/40 of it.
    found = made(np.linspace(0.5, 1.5, 10)[:, None])
    kept = 1.0 - 0.625 / 10.25
    for sign in (-1.0, 1.0):
        p = 0.5 + sign * 0.475 * kept
        assert quantile(found, few_fit, p) == pytest.approx(sign * 1.5)
