from __future__ import annotations

import math

import pandas as pd
import pytest

from lvkit.data.model_names import family_from_name, size_in_name, without_size
from lvkit.data.read import load_leaderboard

NAN = math.nan

NAMES = [  # name, total, active, name without the size
    ("yi-1.5-34b-chat", 34, NAN, "yi-1.5-chat"),
    ("TinyLlama-1.1B-intermediate-step-1431k-3T", 1.1, NAN, None),
    ("Qwen2.5-7B-Instruct-1M", 7, NAN, "Qwen2.5-Instruct-1M"),
    ("Infinity-Instruct-3M-0613-Llama3-70B", 70, NAN, "Infinity-Instruct-3M-0613-Llama3"),
    ("open_llama_7b_v2", 7, NAN, "open_llama_v2"),
    ("open_llama_3b_600bt_preview", 3, NAN, "open_llama_600bt_preview"),
    ("bloom-560m", 0.56, NAN, "bloom"),
    ("bloom-7b1", 7.1, NAN, "bloom"),
    ("rwkv-4-1b5-pile", 1.5, NAN, "rwkv-4-pile"),
    ("pythia-1.4b-deduped-step143000", 1.4, NAN, "pythia-deduped-step143000"),
    ("mt0-xxl", NAN, NAN, "mt0-xxl"),
    ("flan-t5-11b", 11, NAN, "flan-t5"),
    ("gpt-j-6b", 6, NAN, "gpt-j"),
    ("opt125m", 0.125, NAN, "opt"),
    ("falcon7b-instruct", 7, NAN, "falcon-instruct"),
    ("llama13b", NAN, NAN, "llama"),
    ("llama_2_7b", NAN, NAN, "llama_2"),
    ("llama_2_13b_chat", 13, NAN, "llama_2_chat"),
    ("qwen_0_5b", 0.5, NAN, "qwen"),
    ("stablelm-2-1_6b-chat", 1.6, NAN, "stablelm-2-chat"),
    ("internlm2_5-20b-chat", 20, NAN, "internlm2_5-chat"),
    ("Meta-Llama-3.1-405B-Instruct-FP8", 405, NAN, "Meta-Llama-3.1-Instruct-FP8"),
    ("Mixtral-8x7B-v0.1", 56, NAN, "Mixtral-8x-v0.1"),
    ("Mixtral-8x22B-Instruct-v0.1", 176, NAN, "Mixtral-8x-Instruct-v0.1"),
    ("Yi-34Bx2-MoE-60B", 68, NAN, None),
    ("Qwen3-30B-A3B", 30, 3, "Qwen3"),
    ("Qwen3-235B-A22B-Instruct-2507", 235, 22, "Qwen3-Instruct-2507"),
    ("zephyr-orpo-141b-A35b-v0.1", 141, 35, "zephyr-orpo-v0.1"),
    ("ERNIE-4.5-21B-A3B-Base", 21, 3, "ERNIE-4.5-Base"),
    ("granite-3.0-3b-a800m-instruct", 3, 0.8, "granite-3.0-instruct"),
    ("Qwen1.5-MoE-A2.7B", NAN, 2.7, "Qwen1.5-MoE"),
    ("OLMoE-1B-7B-0924", 7, 1, "OLMoE-0924"),
    ("Llama-4-Scout-17B-16E-Instruct", NAN, 17, "Llama-4-Scout-Instruct"),
    ("gemma-3n-E4B-it", NAN, 4, "gemma-3n-it"),
    ("Kimi-K2-1T-A32B", 1000, 32, "Kimi-K2"),
    ("PanGu-1.5T", 1500, NAN, "PanGu"),
    ("gpt-neox-20b-4bit", 20, NAN, "gpt-neox-4bit"),
    ("Mistral-7B-GPTQ-8bit-w4a16", 7, NAN, "Mistral-GPTQ-8bit-w4a16"),
    ("mpt-7b-8k", 7, NAN, "mpt-8k"),
    ("Yi-34B-200K", 34, NAN, "Yi-200K"),
    ("phi-3.5-mini-instruct", NAN, NAN, "phi-3.5-mini-instruct"),
    ("phi-1_5", NAN, NAN, "phi-1_5"),
    ("gpt-3.5-turbo-16k", NAN, NAN, "gpt-3.5-turbo-16k"),
    ("dolly-v2-12b", 12, NAN, "dolly-v2"),
    ("stablelm-3b-4e1t", 3, NAN, "stablelm-4e1t"),
    ("claude-2", NAN, NAN, "claude-2"),
    ("o1", NAN, NAN, "o1"),
    ("gemma2-2b", 2, NAN, "gemma2"),
    ("SmolLM2-135M", 0.135, NAN, "SmolLM2"),
    ("TinyStories-1M", NAN, NAN, "TinyStories"),
    ("7B", 7, NAN, "7B"),
    ("v2b", NAN, NAN, "v2b"),
    ("ant-v13b", NAN, NAN, "ant-v13b"),
    ("ant-v2_7b", 7, NAN, "ant-v2"),
    ("lab-3b/ant", NAN, NAN, None),
    ("lab-3b/ant-7b", 7, NAN, None),
    ("", NAN, NAN, ""),
]


@pytest.mark.parametrize(("name", "total", "active", "rest"), NAMES, ids=[n[0] for n in NAMES])
def test_the_size_in_a_name(name: str, total: float, active: float, rest: str | None) -> None:
    size = size_in_name(name)
    assert (size.total, size.active) == pytest.approx((total, active), nan_ok=True)
    if rest is not None:
        assert without_size(name) == rest


@pytest.mark.parametrize(
    ("name", "params_b"),
    [
        ("stablelm-2-1_6b", 1.64),
        ("mixtral-8x7b", 46.7),
        ("mixtral-8x7b", 56.0),
        ("mixtral-8x7b", 12.9),
        ("mixtral-8x22b", 141.0),
        ("gemma-2b", 2.51),
        ("gemma-7b", 8.54),
        ("llama-3.2-1b", 1.24),
        ("qwen3-0.6b", 0.75),
        ("qwen3-30b-a3b", 30.5),
        ("qwen3-30b-a3b", 3.3),
        ("olmoe-1b-7b", 6.9),
        ("llama-4-maverick-17b-128e", 400.0),
        ("gemma-3n-e4b", 7.85),
    ],
)
def test_sizes_that_agree_with_the_name(name: str, params_b: float) -> None:
    assert size_in_name(name).low <= params_b <= size_in_name(name).high


@pytest.mark.parametrize(
    ("name", "params_b"),
    [
        ("open_llama_7b_v2", 13.0),
        ("stablelm-2-1_6b", 6.0),
        ("multimaster-7b", 35.0),
        ("ant-7b", 70.0),
        ("bloom-560m", 560.0),
        ("mixtral-8x7b", 560.0),
        ("qwen3-30b-a3b", 300.0),
    ],
)
def test_sizes_that_contradict_the_name(name: str, params_b: float) -> None:
    assert not size_in_name(name).low <= params_b <= size_in_name(name).high


def test_no_embedded_size_contradicts_its_name() -> None:
    sizes = load_leaderboard().models["params_b"]
    stated = {name: size_in_name(name) for name in sizes.index}
    assert sum(not math.isnan(size.low) for size in stated.values()) > 180
    assert [n for n, s in stated.items() if sizes[n] < s.low or sizes[n] > s.high] == []


def test_any_number_of_digits_is_read() -> None:
    for name in ("9" * 5000 + "b", "9" * 5000 + "x7b", "1b" + "1" * 50, "٣b"):
        size_in_name(name)
        without_size(name)


# -- families -----------------------------------------------------------------------------------


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
