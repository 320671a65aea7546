from __future__ import annotations

import pandas as pd
import pytest

from lvkit.data.families import family_from_name, strays
from lvkit.data.read import load_leaderboard


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("yi-1.5-34b-chat", "yi-1.5-chat"),
        ("qwen2-0.5b-instruct", "qwen2-instruct"),
        ("bloom-1b1", "bloom"),
        ("bloom", "bloom"),
        ("rwkv-4-1b5-pile", "rwkv-4-pile"),
        ("pythia-160m-deduped", "pythia-deduped"),
        ("stablelm-2-1_6b-chat", "stablelm-2-chat"),
        ("open_llama_3b_v2", "open_llama_v2"),
        ("mixtral-8x22b-instruct-v0.1", "mixtral-8x-instruct-v0.1"),
        ("Meta-Llama-3.1-70B", "meta-llama-3.1"),
        ("phi-1_5", "phi-1_5"),
        ("Phi-3-mini-4k-instruct", "phi-3-mini-4k-instruct"),
    ],
)
def test_the_family_is_the_name_without_its_size(name: str, family: str) -> None:
    assert family_from_name(name) == family


def test_the_organisation_stays() -> None:
    assert family_from_name("org/Name-7B") == "org/name"
    assert family_from_name("org-3b/Name-7B") == "org-3b/name"


def test_a_name_that_is_only_a_size_is_its_own_family() -> None:
    assert family_from_name(" 7B ") == "7b"
    assert family_from_name("org/7B") == "org/7b"


def test_the_rule_agrees_with_the_embedded_table_as_documented() -> None:
    said = load_leaderboard().models["family"]
    ruled = pd.Series([family_from_name(name) for name in said.index], index=said.index)
    assert (said == ruled).sum() == 186
    companions = [
        set(said.index[said == said[name]]) == set(said.index[ruled == ruled[name]])
        for name in said.index
    ]
    assert sum(companions) == 192
    assert "186 of the 197" in (family_from_name.__doc__ or "")


def at(row: int, name: str) -> str:
    return f"row {row} ({name})"


def test_families_of_one_lineage_each_have_no_strays() -> None:
    assert strays(["a", "b", "a"], ["x", "x", "x"], ["a1", "b1", "a2"], at) == []


def test_every_row_that_strays_is_told_beside_the_familys_first() -> None:
    found = strays(["a", "b", "a", "a"], ["x", "x", "y", "z"], ["a1", "b1", "a2", "a3"], at)
    assert [row for row, _ in found] == [2, 3]
    assert found[0][1] == ("got lineage 'y' for family 'a', which is of lineage 'x' in row 0 (a1)")


def test_rows_without_a_family_do_not_stray() -> None:
    assert strays(["", ""], ["x", "y"], ["a1", "a2"], at) == []
