from __future__ import annotations

import hashlib
import json
from importlib import resources

import pytest

import lvkit.data.embedded
from lvkit.data.embedded import known_benchmarks
from lvkit.data.read import load_leaderboard
from lvkit.errors import LvkitError


def test_the_embedded_panel_has_197_models_and_12_benchmarks() -> None:
    panel = load_leaderboard()
    assert (panel.n_models, panel.n_families, panel.n_benchmarks) == (197, 71, 12)
    assert panel.n_scores == 1680


def test_184_models_have_size_tokens_and_a_score() -> None:
    panel = load_leaderboard()
    models, scores = panel.models, panel.scores
    usable = models["tokens_t"].notna() & scores.notna().any(axis=1)
    assert usable.sum() == 184
    assert models[usable]["family"].nunique() == 67
    assert scores[usable].notna().sum().sum() == 1566


def test_77_models_have_everything() -> None:
    complete = load_leaderboard().complete().models
    usable = complete["tokens_t"].notna()
    assert usable.sum() == 77
    assert complete[usable]["family"].nunique() == 31


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("stablelm-2-1_6b", 1.6),
        ("stablelm-2-1_6b-chat", 1.6),
        ("rwkv-4-1b5-pile", 1.5),
        ("bloom-1b1", 1.1),
    ],
)
def test_the_corrections_are_in(model: str, size: float) -> None:
    assert load_leaderboard().models.loc[model, "params_b"] == size


def test_features_have_their_kinds() -> None:
    models = load_leaderboard().models
    assert models["instruct"].dtype == bool
    assert models["release_date"].isna().any()
    assert models["tokens_t"].isna().sum() == 13


def test_the_same_panel_comes_every_time() -> None:
    assert load_leaderboard() is load_leaderboard()


def test_known_benchmarks_hands_out_copies() -> None:
    table = known_benchmarks()
    table.loc["mmlu", "chance"] = 0.9
    assert known_benchmarks().loc["mmlu", "chance"] == 0.25


def test_the_sums_belong_to_the_tables() -> None:
    folder = resources.files("lvkit.data")
    sums = json.loads((folder / "sha256.json").read_text())
    assert set(sums) == {"scores.csv", "benchmarks.csv"}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_a_changed_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lvkit.data.embedded.json, "loads", lambda _: {"scores.csv": "0" * 64})
    with pytest.raises(LvkitError, match="embedded table scores.csv: sha256") as caught:
        lvkit.data.embedded.embedded_table("scores.csv")
    assert "install lvkit again" in str(caught.value)


def test_the_provenance_tells_source_licence_and_corrections() -> None:
    text = (resources.files("lvkit.data") / "PROVENANCE.md").read_text("utf-8")
    for words in ("Open LLM Leaderboard", "2412.06540", "MIT", "Corrections", "bloom-1b1"):
        assert words in text
