from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from golden import Message

import lvkit as lv
from lvkit.fit.latent_skill_model import LatentSkillModel


def refusal(**settings: Any) -> str:
    with pytest.raises(lv.LvkitError) as caught:
        LatentSkillModel(**settings)
    return str(caught.value)


def test_a_model_keeps_its_settings_untouched(paper_anchors: dict[str, str]) -> None:
    model = LatentSkillModel(anchors=paper_anchors, floor="chance", clip=0.01)
    assert model.anchors == paper_anchors
    assert (model.n_skills, model.floor, model.clip) == (None, "chance", 0.01)
    assert model.features == "log_params * log_tokens"
    assert model.family_slopes is None


def test_a_model_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        LatentSkillModel(n_skills=1).clip = 0.1  # type: ignore[misc]


def test_models_with_the_same_settings_are_equal() -> None:
    assert LatentSkillModel(anchors={"a": "mmlu"}) == LatentSkillModel(anchors={"a": "mmlu"})
    assert LatentSkillModel(n_skills=1) != LatentSkillModel(n_skills=2)


def test_the_number_of_skills_is_that_of_the_anchors_if_there_are_any() -> None:
    assert LatentSkillModel(anchors={"a": "mmlu", "b": "bbh"}).k == 2
    assert LatentSkillModel(n_skills=3).k == 3
    assert LatentSkillModel().k is None


@pytest.mark.parametrize("n_skills", [0, -1, 1.5, "2", True])
def test_a_number_of_skills_that_is_none_is_refused(n_skills: Any, message: Message) -> None:
    text = refusal(n_skills=n_skills)
    message(text, "n_skills", n_skills, "1")


def test_a_whole_number_of_numpy_is_a_number_of_skills() -> None:
    assert LatentSkillModel(n_skills=np.int64(2)).k == 2


@pytest.mark.parametrize("clip", [np.float32(0.01), np.float64(0.01)])
def test_a_clip_of_numpy_is_a_number(clip: Any) -> None:
    assert type(LatentSkillModel(n_skills=1, clip=clip).clip) is float


@pytest.mark.parametrize("clip", [0.0, -0.1, 0.11, 0.5, float("nan"), "0.01", None])
def test_a_clip_out_of_range_is_refused(clip: Any, message: Message) -> None:
    message(refusal(clip=clip), "0", "0.1")


def test_an_unknown_floor_is_refused_with_the_nearest(message: Message) -> None:
    text = refusal(floor="estimated")
    message(text, "estimated", "none", "chance", "estimate")


def test_anchors_that_are_no_mapping_are_refused(message: Message) -> None:
    message(refusal(anchors=["mmlu", "bbh"]))


def test_no_anchors_at_all_are_refused(message: Message) -> None:
    message(refusal(anchors={}))


@pytest.mark.parametrize("anchors", [{"": "mmlu"}, {" ": "mmlu"}, {1: "mmlu"}, {"a": None}])
def test_anchors_without_names_are_refused(anchors: Any, message: Message) -> None:
    message(refusal(anchors=anchors))


def test_anchors_and_another_number_of_skills_are_refused(message: Message) -> None:
    text = refusal(anchors={"a": "mmlu"}, n_skills=2)
    message(text, "1", "n_skills", "2")


def test_anchors_and_their_own_number_of_skills_may_be_given_together() -> None:
    assert LatentSkillModel(anchors={"a": "mmlu"}, n_skills=1).k == 1


def test_fitting_leaves_the_model_and_the_panel_as_they_were(small_panel: lv.Panel) -> None:
    model, digest = LatentSkillModel(n_skills=1), small_panel.digest
    fit = model.fit(small_panel)
    assert model == LatentSkillModel(n_skills=1)
    assert fit.model == model
    assert fit.panel is small_panel
    assert (
        lv.Panel.from_frame(small_panel.to_frame(), benchmarks=small_panel.benchmarks).digest
        == digest
    )
