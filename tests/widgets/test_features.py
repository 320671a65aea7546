from __future__ import annotations

import ipywidgets
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.widgets.features import (
    as_in_family,
    beyond,
    feature_controls,
    fitted_column,
    fitted_ranges,
    log_slider,
    set_controls,
)
from lvkit.widgets.number_slider import NumberSlider


@pytest.fixture(scope="module")
def fit() -> lv.Fit:
    rows = [
        {"model": f"{family}-{size}", "family": family, "params_b": size, "kind": kind,
         "heat": heat, "chat": chat, "mmlu": 0.3 + 0.01 * size + heat / 20 + 0.003 * at,
         "arc": 0.35 + 0.011 * size - 0.003 * at}
        for at, (family, size, kind, heat, chat) in enumerate([
            ("a", 1.0, "x", 0.1, True), ("a", 9.0, "x", 0.3, True), ("b", 2.0, "y", 0.9, False),
            ("b", 8.0, "x", 0.2, False), ("c", 3.0, "y", 0.4, True), ("c", 12.0, "y", 0.4, False),
            ("d", 4.0, "x", 0.6, False), ("d", 7.0, "y", 0.5, False),
        ])
    ]  # fmt: skip
    model = lv.LatentSkillModel(n_skills=1, features="log_params + kind + heat + chat")
    table = pd.DataFrame(rows)
    with pytest.warns(lv.LvkitWarning, match="Families do not differ"):
        return model.fit(lv.Panel.from_frame(table, benchmarks={"heat": None}))


def test_each_kind_of_column_has_its_control(fit: lv.Fit) -> None:
    controls = feature_controls(fit)
    kinds = {column: type(control) for column, control in controls.items()}
    assert kinds == {
        "params_b": NumberSlider, "kind": ipywidgets.Dropdown,
        "heat": ipywidgets.FloatText, "chat": ipywidgets.Checkbox,
    }  # fmt: skip
    assert controls["kind"].options == ("x", "y")
    assert controls["chat"].value is False
    assert controls["params_b"].value == pytest.approx(fitted_column(fit, "params_b").median())


def test_some_columns_can_be_asked_for(fit: lv.Fit) -> None:
    assert list(feature_controls(fit, ["heat"])) == ["heat"]


def test_a_log_slider_reaches_its_ends_and_refuses_what_is_typed_beyond(message: Message) -> None:
    slider = log_slider(0.5, 200.0, 7.0, "Size", "how large")
    slider.value = 200.0
    slider.refuse_outside(7.0)
    slider.box.value = 1e9
    with refused("Size", "0.5", "200") as error:
        slider.refuse_outside(200.0)
    message(error)
    assert slider.value == 200.0
    message(slider.box.tooltip, "0.5", "200")


def test_what_a_familys_largest_model_has_is_taken_over(fit: lv.Fit) -> None:
    controls = feature_controls(fit)
    set_controls(controls, as_in_family(fit, "b", controls))
    values = {column: control.value for column, control in controls.items()}
    assert values == {"params_b": pytest.approx(8.0), "kind": "x", "heat": 0.2, "chat": False}
    assert as_in_family(fit, "a", ["kind", "chat"]) == {"kind": "x", "chat": True}
    assert as_in_family(fit, "nobody", ["kind"]) == {}


def test_sizes_outside_the_data_are_told(fit: lv.Fit, message: Message) -> None:
    ranges = fitted_ranges(fit)
    assert ranges == {"params_b": (1.0, 12.0)}
    assert beyond(ranges, {"params_b": 5.0, "heat": 9.0}) == []
    (more,), (fewer,) = (beyond(ranges, {"params_b": size}) for size in (24.0, 0.5))
    message(more, "24", "12")
    message(fewer, "1")
