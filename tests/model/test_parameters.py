from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from golden import Message, refused

from lvkit.errors import LvkitWarning
from lvkit.model.coordinates import Frame
from lvkit.model.parameters import Parameters, anchor, check_anchors, warn_if_alike

NAMES = ("arc", "bbh", "gsm8k", "ifeval", "mmlu")


def make_parameters(**changes: Any) -> Parameters:
    """Two skills, five benchmarks, anchored on the first and the fourth."""
    values: dict[str, Any] = {
        "loadings": np.array([[0.9, 0.0], [0.5, 0.4], [1.1, -0.2], [0.0, 0.7], [0.6, 0.3]]),
        "intercepts": np.linspace(-1.0, 1.0, 5),
        "precisions": np.array([20.0, 40.0, 60.0, 80.0, 100.0]),
        "floors": np.zeros(5),
        "slopes": np.array([[1.2, 0.5], [0.8, -0.1]]),
        "correlation": np.array([[1.0, 0.3], [0.3, 1.0]]),
    }
    return Parameters(**(values | changes))


def assert_same(found: Parameters, expected: Parameters) -> None:
    for name, value in vars(expected).items():
        if value is not None:
            np.testing.assert_allclose(getattr(found, name), value, atol=1e-10, err_msg=name)


def test_parameters_say_their_sizes() -> None:
    params = make_parameters()
    assert (params.n_benchmarks, params.n_skills) == (5, 2)


def test_parameters_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        make_parameters().floors = np.ones(5)  # type: ignore[misc]


def test_parameters_come_back_from_their_frame() -> None:
    assert_same(Parameters.of(make_parameters().frame), make_parameters())


def test_parameters_with_slopes_that_differ_come_back_from_their_frame() -> None:
    params = make_parameters(slope_sd=np.array([0.4, 0.2]))
    assert params.frame.factor.shape == (2, 2, 4)
    assert_same(Parameters.of(params.frame), params)


def test_perfectly_correlated_skills_are_a_correlation_matrix() -> None:
    params = make_parameters(correlation=np.ones((2, 2)))
    assert_same(Parameters.of(params.frame), params)


def test_a_matrix_that_is_no_correlation_is_refused(message: Message) -> None:
    with refused("Parameters.correlation", "-0.2") as error:
        _ = make_parameters(correlation=np.array([[1.0, 1.2], [1.2, 1.0]])).frame
    message(error)


# -- anchoring -----------------------------------------------------------------------------------


def test_anchoring_an_anchored_frame_again_changes_nothing() -> None:
    params = make_parameters()
    assert_same(Parameters.of(anchor(params.frame, (0, 3), ("arc", "ifeval"))), params)


def test_anchors_load_on_their_own_skill_alone_and_positively() -> None:
    loadings = anchor(make_parameters().frame, (2, 1), ("gsm8k", "bbh")).loadings
    assert loadings[2, 1] == 0.0
    assert loadings[1, 0] == 0.0
    assert loadings[2, 0] > 0.0
    assert loadings[1, 1] > 0.0


def test_every_skill_has_unit_variance_whatever_the_anchors() -> None:
    params = Parameters.of(anchor(make_parameters().frame, (2, 1), ("gsm8k", "bbh")))
    np.testing.assert_allclose(np.diag(params.correlation), 1.0)


def test_anchoring_does_not_depend_on_the_frame_it_begins_from() -> None:
    frame = make_parameters().frame
    other = frame.change(np.array([[0.3, -2.0], [1.5, 0.4]]))
    first, second = (anchor(f, (2, 1), ("gsm8k", "bbh")) for f in (frame, other))
    assert_same(Parameters.of(second), Parameters.of(first))


def test_anchoring_follows_the_algebra_of_the_design() -> None:
    # T = D^-1 A, Lambda -> Lambda T^-1, B -> T B, Sigma -> T Sigma T'.
    params = make_parameters()
    rows = params.loadings[[2, 1]]
    spread = np.sqrt(np.diag(rows @ params.correlation @ rows.T))
    transform = rows / spread[:, None]
    found = Parameters.of(anchor(params.frame, (2, 1), ("gsm8k", "bbh")))
    expected = params.loadings @ np.linalg.inv(transform)
    np.testing.assert_allclose(found.loadings, expected, atol=1e-12)
    np.testing.assert_allclose(found.slopes, transform @ params.slopes)
    np.testing.assert_allclose(
        found.correlation, transform @ params.correlation @ transform.T, atol=1e-12
    )


def test_anchors_that_do_not_tell_skills_apart_are_refused_with_the_condition_number(
    message: Message,
) -> None:
    loadings = make_parameters().loadings.copy()
    loadings[4] = 0.5 * loadings[1] + [1e-7, 0.0]
    frame = make_parameters(loadings=loadings).frame
    with refused() as e:
        anchor(frame, (1, 4), ("bbh", "mmlu"))
    message(e)
    assert "suggest_anchors" in str(e.value)


def test_an_anchor_without_any_loading_is_refused(message: Message) -> None:
    loadings = make_parameters().loadings.copy()
    loadings[4] = 0.0
    with refused() as error:
        anchor(make_parameters(loadings=loadings).frame, (0, 4), ("arc", "mmlu"))
    message(error)


def test_exact_copies_are_refused_as_anchors(message: Message) -> None:
    loadings = make_parameters().loadings.copy()
    loadings[4] = 2.0 * loadings[1]
    with refused() as error:
        anchor(make_parameters(loadings=loadings).frame, (1, 4), ("bbh", "mmlu"))
    message(error)


def test_skills_that_families_share_but_sizes_tell_apart_can_be_anchored() -> None:
    # A correlation of one between skills leaves the loadings' rows well conditioned.
    params = make_parameters(correlation=np.ones((2, 2)))
    assert_same(Parameters.of(anchor(params.frame, (0, 3), ("arc", "ifeval"))), params)


# -- names ---------------------------------------------------------------------------------------


def test_anchors_are_found_by_name() -> None:
    assert check_anchors({"maths": "gsm8k", "instruction": "ifeval"}, NAMES) == (2, 3)


def test_an_unknown_anchor_is_refused_with_the_nearest_name(message: Message) -> None:
    with refused("anchor of skill 'maths'", "gsm8k") as error:
        check_anchors({"maths": "gms8k"}, NAMES)
    message(error)


def test_the_same_anchor_twice_is_refused(message: Message) -> None:
    with refused("anchors", "bbh", "2") as error:
        check_anchors({"a": "bbh", "b": "bbh"}, NAMES)
    message(error)


def test_a_frame_is_read_in_the_fields_terms() -> None:
    frame = Frame(
        loadings=np.array([[0.5]]),
        factor=np.array([[[1.0]]]),
        slopes=np.array([[2.0]]),
        intercepts=np.array([0.1]),
        log_precisions=np.log([30.0]),
        floors=np.array([0.25]),
    )
    params = Parameters.of(frame)
    assert params.precisions == pytest.approx(30.0)
    assert params.floors.tolist() == [0.25]
    assert params.slope_sd is None


# -- skills that are hardly two -------------------------------------------------------------------


def alike(correlation: float) -> Frame:
    return make_parameters(correlation=np.array([[1.0, correlation], [correlation, 1.0]])).frame


@pytest.mark.parametrize("correlation", [0.995, -0.995, 1.0])
def test_skills_that_are_hardly_two_are_named(correlation: float, message: Message) -> None:
    with pytest.warns(LvkitWarning) as caught:
        warn_if_alike(alike(correlation), ("maths", "logic"), stacklevel=1)
    message(caught)
    assert caught[0].filename == __file__
    assert "fit.suggest_anchors()" in str(caught[0].message)


@pytest.mark.parametrize("correlation", [0.0, 0.98, -0.98])
def test_skills_that_can_be_told_apart_give_no_warning(correlation: float) -> None:
    warn_if_alike(alike(correlation), ("maths", "logic"))


def test_three_skills_that_depend_on_each_other_but_no_two_give_no_warning() -> None:
    third = np.sqrt(0.5)
    correlation = np.array([[1.0, 0.0, third], [0.0, 1.0, third], [third, third, 1.0]])
    params = make_parameters(
        loadings=np.eye(5, 3), slopes=np.zeros((3, 2)), correlation=correlation
    )
    assert np.linalg.matrix_rank(correlation) == 2
    warn_if_alike(params.frame, ("maths", "logic", "writing"))


def test_one_skill_gives_no_warning() -> None:
    one = make_parameters(loadings=np.ones((5, 1)), slopes=np.zeros((1, 2)), correlation=np.eye(1))
    warn_if_alike(one.frame, ("general",))
