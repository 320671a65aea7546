from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.model.prepared import prepare

CLIP = 0.0025


def make_panel(**changes: Any) -> lv.Panel:
    columns: dict[str, Any] = {
        "model": ["bee-9b", "ant-1b", "bee-2b", "ant-3b", "cow-5b"],
        "family": ["bee", "ant", "bee", "ant", "cow"],
        "params_b": [9.0, 1.0, 2.0, 3.0, 5.0],
        "tokens_t": [2.0, 1.0, 2.0, 1.0, None],
        "mmlu": [0.6, 0.26, 0.35, 0.41, 0.5],
        "gsm8k": [0.5, 0.02, 0.1, None, 0.3],
    }
    table = pd.DataFrame({k: v for k, v in (columns | changes).items() if v is not None})
    return lv.Panel.from_frame(table)


def refusal(panel: lv.Panel, formula: str = "log_params", **options: Any) -> str:
    with pytest.raises(lv.LvkitError) as caught:
        prepare(panel, formula, clip=CLIP, **options)
    return str(caught.value)


def test_models_families_and_benchmarks_are_put_in_the_order_of_their_names() -> None:
    prepared = prepare(make_panel(), "log_params", clip=CLIP)
    assert prepared.models == ("ant-1b", "ant-3b", "bee-2b", "bee-9b", "cow-5b")
    assert prepared.families == ("ant", "bee", "cow")
    assert prepared.benchmarks == ("gsm8k", "mmlu")
    assert prepared.dropped.empty


def test_every_score_keeps_its_model_and_benchmark() -> None:
    panel = make_panel()
    prepared = prepare(panel, "log_params", clip=CLIP)
    table = prepared.table
    for n in range(table.n_scores):
        name, benchmark = prepared.models[table.model[n]], prepared.benchmarks[table.benchmark[n]]
        odds = np.exp(table.seen.log_odds[n, 0])
        assert odds / (1.0 + odds) == pytest.approx(panel.scores.loc[name, benchmark])
        assert prepared.families[table.family[n]] == panel.models.loc[name, "family"]


def test_models_that_lack_what_a_feature_needs_are_left_out_and_listed() -> None:
    prepared = prepare(make_panel(), "log_tokens", clip=CLIP)
    assert prepared.dropped["reason"].to_dict() == {"cow-5b": "lacks tokens_t"}
    assert prepared.families == ("ant", "bee")


def test_the_embedded_models_without_tokens_are_thirteen(leaderboard: lv.Panel) -> None:
    prepared = prepare(leaderboard, "log_params * log_tokens", clip=CLIP)
    assert len(prepared.dropped) == 13
    assert set(prepared.dropped["reason"]) == {"lacks tokens_t"}
    assert (len(prepared.models), len(prepared.families)) == (184, 67)
    assert prepared.table.n_scores == 1_566


def test_features_are_centred_on_the_fitted_models() -> None:
    prepared = prepare(make_panel(), "log_params", clip=CLIP)
    log_size = np.log10([1.0, 3.0, 2.0, 9.0, 5.0])
    assert prepared.features.means == pytest.approx(log_size.mean())
    first = prepared.table.features[prepared.table.model == 0, 0]
    np.testing.assert_allclose(first, log_size[0] - log_size.mean())


def test_a_model_without_a_score_is_left_out_and_does_not_move_the_means() -> None:
    panel = make_panel(arc=[None, None, None, 0.5, None], mmlu=[0.6, 0.26, 0.35, None, 0.5])
    prepared = prepare(panel.select(benchmarks=["mmlu", "gsm8k"]), "log_params", clip=CLIP)
    assert prepared.dropped["reason"].to_dict() == {"ant-3b": "has no score"}
    assert prepared.features.means == pytest.approx(np.log10([1.0, 2.0, 9.0, 5.0]).mean())


def test_a_benchmark_without_a_score_is_ignored() -> None:
    panel = make_panel(arc=[None, None, None, None, 0.4])
    prepared = prepare(panel.select(families=["ant", "bee"]), "log_params", clip=CLIP)
    assert prepared.benchmarks == ("gsm8k", "mmlu")


def test_a_benchmark_measured_only_where_features_are_missing_is_ignored() -> None:
    panel = make_panel(arc=[None, None, None, None, 0.4])
    assert prepare(panel, "log_tokens", clip=CLIP).benchmarks == ("gsm8k", "mmlu")


def test_chance_levels_follow_the_benchmarks() -> None:
    assert prepare(make_panel(), "log_params", clip=CLIP).chance.tolist() == [0.0, 0.25]


def test_a_feature_with_random_slopes_joins_the_latent_design() -> None:
    plain = prepare(make_panel(), "log_params", clip=CLIP)
    slopes = prepare(make_panel(), "log_params", clip=CLIP, random_slope="log_params")
    assert (plain.table.design == 1.0).all()
    np.testing.assert_array_equal(slopes.table.design[:, 0], 1.0)
    np.testing.assert_array_equal(slopes.table.design[:, 1], slopes.table.features[:, 0])


def test_an_unknown_random_slope_is_refused_with_the_nearest_name(message: Message) -> None:
    text = refusal(make_panel(), random_slope="log_param")
    message(text, "family_slopes", "log_param", "log_params")


def test_one_family_is_refused_with_the_remedy(message: Message) -> None:
    text = refusal(make_panel().select(families="bee"))
    message(text, "1")


def test_one_family_left_by_the_features_is_refused(message: Message) -> None:
    text = refusal(make_panel(tokens_t=[2.0, None, 3.0, None, None]), "log_tokens")
    message(text, "1")


def test_a_benchmark_that_never_varies_is_refused_with_its_name(message: Message) -> None:
    text = refusal(make_panel(arc=[0.25] * 5))
    message(text, "arc", "0.25")
    assert "panel.select" in text


@pytest.mark.filterwarnings("ignore:.*0 in 'arc'")
def test_a_benchmark_that_varies_only_beyond_the_clip_is_refused(message: Message) -> None:
    # Clipped they are all 0.0025: its precision would grow without bound.
    message(refusal(make_panel(arc=[0.0, 0.001, 0.002, 0.001, 0.0])), "arc")


def test_a_benchmark_with_one_score_is_refused(message: Message) -> None:
    message(refusal(make_panel(arc=[0.4, None, None, None, None])), "arc", "0.4")


def test_everything_that_never_varies_is_listed_at_once() -> None:
    panel = make_panel(arc=[0.25] * 5, bbh=[0.5] * 5)
    assert refusal(panel.select(families="bee")).startswith("3 problems:")


@pytest.mark.parametrize(
    ("formula", "quoted"),
    [
        ("log_params + same", ["same", "5"]),
        ("log_params + twice", ["twice", "log_params"]),
        ("log_params + sze", ["sze"]),
    ],
)
def test_features_that_do_not_work_are_refused(
    formula: str, quoted: list[str], message: Message
) -> None:
    panel = make_panel(same=[1.0] * 5, twice=2.0 * np.log10([9.0, 1.0, 2.0, 3.0, 5.0]))
    message(refusal(panel, formula), *quoted)


def test_a_constant_feature_of_the_measured_models_is_refused(message: Message) -> None:
    # It varies only for a model without any score.
    gaps = {"mmlu": [0.6, 0.2, 0.3, None, 0.5], "arc": [None, None, None, 0.5, None]}
    panel = make_panel(note=[1.0, 1.0, 1.0, 2.0, 1.0], **gaps)
    text = refusal(panel.select(benchmarks=["mmlu", "gsm8k"]), "log_params + note")
    message(text, "note", "4")
