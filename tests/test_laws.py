"""Laws that every fit must obey, whatever the data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from golden import Message

import lvkit as lv

MODEL = lv.LatentSkillModel(
    anchors={"general": "mmlu", "instruction": "ifeval"}, features="log_params + log_tokens"
)


def rebuilt(table: pd.DataFrame, panel: lv.Panel) -> lv.Panel:
    return lv.Panel.from_frame(table, benchmarks=panel.benchmarks)


def shuffled_rows(panel: lv.Panel) -> lv.Panel:
    return rebuilt(panel.to_frame().sample(frac=1.0, random_state=0), panel)


def shuffled_families(panel: lv.Panel) -> lv.Panel:
    table = panel.to_frame()
    order = list(dict.fromkeys(table["family"]))[::-1]
    return rebuilt(table.sort_values("family", key=lambda c: c.map(order.index)), panel)


def shuffled_benchmarks(panel: lv.Panel) -> lv.Panel:
    table = panel.to_frame()
    names = list(panel.scores.columns)
    rest = [column for column in table.columns if column not in names]
    return rebuilt(table[[*rest, *names[::-1]]], panel)


def with_a_bare_family(panel: lv.Panel) -> lv.Panel:
    """The panel and a family measured on another benchmark only, which is then left out."""
    table = panel.to_frame()
    rows = pd.DataFrame(
        {
            "model": ["zebra-1b", "zebra-70b"],
            "family": "zebra",
            "params_b": [1.0, 70.0],
            "tokens_t": 9.0,
            "gpqa": [0.2, 0.4],
        }
    )
    both = pd.concat([table, rows], ignore_index=True)
    both = both.drop(columns=["lineage", "instruct", "release_date"], errors="ignore")
    return lv.Panel.from_frame(both).select(benchmarks=panel.scores.columns)


@pytest.mark.parametrize(
    "change", [shuffled_rows, shuffled_families, shuffled_benchmarks, with_a_bare_family]
)
def test_what_says_nothing_new_changes_nothing(
    change: Callable[[lv.Panel], lv.Panel], small_panel: lv.Panel, small_fit: lv.Fit
) -> None:
    other = MODEL.fit(change(small_panel))
    assert other.loglik == pytest.approx(small_fit.loglik, abs=1e-9)
    pd.testing.assert_frame_equal(other.loadings, small_fit.loadings, rtol=1e-9, atol=1e-9)
    pd.testing.assert_frame_equal(other.slopes, small_fit.slopes, rtol=1e-9, atol=1e-9)
    pd.testing.assert_frame_equal(other.correlation, small_fit.correlation, rtol=1e-9, atol=1e-9)


def test_shuffling_a_panel_with_gaps_changes_nothing(leaderboard: lv.Panel) -> None:
    model = lv.LatentSkillModel(n_skills=2)
    first, second = (
        model.fit(panel) for panel in (leaderboard, shuffled_benchmarks(shuffled_rows(leaderboard)))
    )
    assert second.loglik == pytest.approx(first.loglik, abs=1e-9)
    pd.testing.assert_frame_equal(second.loadings, first.loadings, rtol=1e-9, atol=1e-9)


def test_families_names_change_nothing_but_names(small_panel: lv.Panel, small_fit: lv.Fit) -> None:
    # Other names give another order, and so the same sums in another order.
    table = small_panel.to_frame()
    table["family"] = table["family"].map(lambda name: name[::-1])
    table["lineage"] = table["family"]
    other = MODEL.fit(rebuilt(table, small_panel))
    assert other.loglik == pytest.approx(small_fit.loglik, abs=0.02)
    np.testing.assert_allclose(other.loadings, small_fit.loadings, atol=0.02)


def test_the_units_of_a_feature_change_its_slopes_alone(
    small_panel: lv.Panel, small_fit: lv.Fit, message: Message
) -> None:
    table = small_panel.to_frame()
    table["params_b"] *= 10.0
    with pytest.warns(lv.LvkitWarning) as caught:
        panel = rebuilt(table, small_panel)
    message(caught, "10")
    other = MODEL.fit(panel)
    assert other.loglik == pytest.approx(small_fit.loglik, abs=1e-3)
    np.testing.assert_allclose(other.slopes, small_fit.slopes, atol=1e-2)


def test_a_feature_more_never_lowers_the_likelihood(small_panel: lv.Panel) -> None:
    logliks = [
        lv.LatentSkillModel(n_skills=2, features=features).fit(small_panel).loglik
        for features in ("log_params", "log_params + log_tokens", "log_params * log_tokens")
    ]
    assert (np.diff(logliks) > -0.02).all()


def test_a_skill_more_never_lowers_the_likelihood(small_panel: lv.Panel) -> None:
    logliks = [
        lv.LatentSkillModel(n_skills=k, features="log_params").fit(small_panel).loglik
        for k in (1, 2, 3)
    ]
    assert (np.diff(logliks) > -0.02).all()


def test_a_family_more_adds_its_own_term_at_the_optimum(
    small_panel: lv.Panel, small_fit: lv.Fit
) -> None:
    # log p(all) = log p(all but one) + log p(one | its parameters): the optimum over all can only
    # be below the sum of the optima of the parts.
    some = small_panel.select(families=small_panel.families[:6])
    rest = small_panel.select(families=small_panel.families[6:])
    model = lv.LatentSkillModel(n_skills=1, features="log_params")
    whole, first, second = (model.fit(panel).loglik for panel in (small_panel, some, rest))
    assert whole < first + second


def test_the_same_seed_gives_the_same_numbers(small_panel: lv.Panel, small_fit: lv.Fit) -> None:
    again = MODEL.fit(small_panel)
    assert again.loglik == small_fit.loglik
    pd.testing.assert_frame_equal(again.summary(), small_fit.summary(), check_exact=True)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_seed_of_the_nodes_hardly_matters(
    seed: int, complete: lv.Panel, paper_anchors: dict[str, str]
) -> None:
    model = lv.LatentSkillModel(anchors=paper_anchors)
    first, other = (model.fit(complete, seed=s) for s in (0, seed))
    assert other.loglik == pytest.approx(first.loglik, abs=0.05)
    np.testing.assert_allclose(other.loadings, first.loadings, atol=0.03)


@pytest.mark.parametrize("n_skills", [1, 2])
def test_the_likelihood_does_not_depend_on_the_anchors(
    n_skills: int, small_panel: lv.Panel
) -> None:
    logliks = []
    for names in (["mmlu", "ifeval"], ["gsm8k", "arc"], ["bbh", "hellaswag"]):
        anchors = {name: name for name in names[:n_skills]}
        model = lv.LatentSkillModel(anchors=anchors, features="log_params + log_tokens")
        logliks.append(model.fit(small_panel).loglik)
    assert np.ptp(logliks) < 1e-6


@pytest.mark.parametrize("scale", [1e-9, 1e24])
def test_the_units_of_a_feature_change_nothing_but_its_slopes(
    scale: float, small_panel: lv.Panel
) -> None:
    table = small_panel.to_frame()
    table["effort"] = table["params_b"] ** 0.5 + table["tokens_t"]
    plain = lv.Panel.from_frame(table)
    scaled = lv.Panel.from_frame(
        table.assign(effort=table["effort"] * scale), benchmarks={"effort": None}
    )
    model = lv.LatentSkillModel(n_skills=1, features="log_params + effort")
    one, other = model.fit(plain), model.fit(scaled)
    assert one.converged
    assert other.converged
    assert other.loglik == pytest.approx(one.loglik, abs=1e-3)
    ratio = one.slopes["effort"] / other.slopes["effort"]
    np.testing.assert_allclose(ratio, scale, rtol=1e-3)
