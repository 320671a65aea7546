from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lvkit as lv
from lvkit.comparison import criteria


@pytest.fixture(scope="module")
def fits(small_panel: lv.Panel) -> list[lv.Fit]:
    models = [
        lv.LatentSkillModel(n_skills=1, features="log_params + log_tokens"),
        lv.LatentSkillModel(n_skills=1, features="log_params + log_tokens", floor="chance"),
        lv.LatentSkillModel(n_skills=2, features="log_params"),
    ]
    return [model.fit(small_panel) for model in models]


def test_fits_are_compared_in_one_table(fits: list[lv.Fit]) -> None:
    table = lv.compare(fits)
    assert table.index.tolist() == [0, 1, 2]
    assert list(table.columns) == [
        *("skills", "features", "family_slopes", "floor"),
        *("loglik", "n_params", "aic", "bic", "delta_aic", "weight"),
    ]
    assert table["skills"].tolist() == [1, 1, 2]
    assert table["floor"].tolist() == ["none", "chance", "none"]
    assert table["loglik"].tolist() == [fit.loglik for fit in fits]


def test_akaike_weights_sum_to_one_and_follow_the_criterion(fits: list[lv.Fit]) -> None:
    table = lv.compare(fits)
    assert table["weight"].sum() == pytest.approx(1.0)
    assert table["delta_aic"].min() == 0.0
    assert table["weight"].idxmax() == table["aic"].idxmin()
    ratio = table["weight"][1] / table["weight"][0]
    assert ratio == pytest.approx(np.exp(0.5 * (table["aic"][0] - table["aic"][1])))


def test_criteria_far_apart_give_weights_without_overflow(fits: list[lv.Fit]) -> None:
    far = [fits[0], replace(fits[0], loglik=fits[0].loglik - 1e5)]
    assert criteria(far, lv.compare(far).index)["weight"].tolist() == [1.0, 0.0]


def test_one_fit_may_be_compared_with_itself(fits: list[lv.Fit]) -> None:
    assert lv.compare(fits[:1])["weight"].tolist() == [1.0]


def test_the_order_of_a_tables_rows_does_not_matter(
    fits: list[lv.Fit], small_panel: lv.Panel
) -> None:
    turned = lv.Panel.from_frame(
        small_panel.to_frame().iloc[::-1], benchmarks=small_panel.benchmarks
    )
    assert len(lv.compare([fits[0], fits[0].model.fit(turned)])) == 2


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(lv.LvkitError, match="got no fit"):
        lv.compare([])


def test_fits_with_different_clips_are_refused(fits: list[lv.Fit], small_panel: lv.Panel) -> None:
    other = replace(fits[0].model, clip=0.01).fit(small_panel)
    with pytest.raises(
        lv.LvkitError, match=r"fit 1: clip 0.01; expected the clip of fit 0, 0.0025"
    ):
        lv.compare([fits[0], other])


def test_fits_of_other_models_are_refused(fits: list[lv.Fit], small_panel: lv.Panel) -> None:
    fewer = small_panel.select(families=small_panel.families[:-1])
    other = fits[0].model.fit(fewer)
    with pytest.raises(lv.LvkitError, match=r"fit 1: .*expected the scores of fit 0: 216 of 36"):
        lv.compare([fits[0], other])


def test_fits_of_other_scores_of_the_same_models_are_refused(
    fits: list[lv.Fit], small_panel: lv.Panel
) -> None:
    table = small_panel.to_frame()
    table.loc[0, "mmlu"] += 0.001
    other = fits[0].model.fit(lv.Panel.from_frame(table, benchmarks=small_panel.benchmarks))
    with pytest.raises(lv.LvkitError, match="Fit the models to the same panel"):
        lv.compare([fits[0], other])


def test_fits_whose_features_keep_other_models_are_refused(leaderboard: lv.Panel) -> None:
    some = leaderboard.select(benchmarks=["mmlu", "arc", "gsm8k"])
    one, other = (
        lv.LatentSkillModel(n_skills=1, features=features).fit(some)
        for features in ("log_params", "log_params + log_tokens")
    )
    with pytest.raises(lv.LvkitError, match="features decide which models take part"):
        lv.compare([one, other])
