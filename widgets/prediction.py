"""Predict: which scores a model would get, by its family, its size and its tokens.

A family is known, or new with a few scores of its own, or a recipe of which nothing is known; each
is an entry of the menu, and how wide the intervals become is the lesson. While controls move, few
draws make a quick picture; :attr:`ScorePredictor.prediction` and the button *All draws* take as
many as :meth:`lvkit.fit.fit.Fit.predict` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets
import pandas as pd

from lvkit.data.panel import benchmark_labels
from lvkit.errors import LvkitError, count
from lvkit.plots.predictions import (
    describe_prediction,
    plot_forecast_ground,
    plot_forecast_intervals,
)
from lvkit.prediction.predict import INTERVALS, KINDS, Prediction, check_intervals

from .features import as_in_family, beyond, feature_controls, fitted_ranges, set_controls
from .layers import LayeredBox
from .listening import listening
from .notice import Notice
from .number_slider import NumberSlider
from .table import TableBox
from .tool import Tool, labelled

if TYPE_CHECKING:
    from lvkit.fit.fit import Fit


_NEW, _UNKNOWN = "\x00new", ""
"""What the menu of families holds beside names."""

_QUICK = {True: 50, False: 100}
"""Draws while controls move, for known families and for others: ends of 95% intervals are within
0.01 of those of all draws for a known family, within 0.06 for others (measured on the embedded
data)."""

_ALL = 4_000


def predict_scores(
    fit: Fit,
    *,
    family: str = _UNKNOWN,
    level: float = 0.95,
    intervals: str | None = None,
    raise_on_exception: bool = False,
) -> ScorePredictor:
    """Return a widget that predicts a model's scores on all benchmarks at once.

    Parameters
    ----------
    fit : Fit
        What predicts.
    family : str
        The family it begins with; blank for a recipe nothing is known of.
    level : float
        Level of the intervals it begins with, from 0.5 to 0.99.
    intervals : {"calibrated", "model", "plugin"}, optional
        Kind of the intervals it begins with; None takes calibrated ones if the fit has them, and
        the model's own otherwise.
    raise_on_exception : bool
        Whether errors are raised as well as said in the widget.

    Returns
    -------
    ScorePredictor
        Shown by the last line of a notebook's cell; its ``prediction`` is for the next cell.

    Raises
    ------
    LvkitError
        For a family that is not in the fit, and for intervals that it cannot give.
    """
    kind = check_intervals(intervals, fit.calibration)
    if family and family not in fit.families:
        raise LvkitError(
            f"got {family!r}", where="family", expected="a family of the fit, or a blank"
        )
    return ScorePredictor(fit, family, level, kind, raise_on_exception)


class ScorePredictor(Tool):
    """What :func:`predict_scores` returns.

    Attributes
    ----------
    fit : Fit
        What predicts.
    family, level, intervals : widget
        Whose model, how likely the intervals hold, and which kind they are of.
    features : dict of str to widget
        A control for each column that the features need.
    scores : dict of str to widget
        A text box for each benchmark: a known score from 0 to 1, or nothing.
    all_draws : widget
        The button that takes all draws.
    picture, table, words : widget
        What is shown: intervals, the same as a table, and what to make of them.
    """

    def __init__(
        self, fit: Fit, family: str, level: float, intervals: str, raise_on_exception: bool
    ) -> None:
        super().__init__(
            "Predict scores",
            "Choose a family, a size and tokens: the picture shows the score to expect on each "
            "benchmark, and the interval it will lie in. Scores that are known already sharpen "
            "the others.",
            raise_on_exception=raise_on_exception,
        )
        self.fit = fit
        self._prediction: Prediction | None = None
        self._full = True
        self.features, self._ranges = feature_controls(fit), fitted_ranges(fit)
        self.scores = _score_boxes(fit)
        self._make_controls(family, level, intervals)
        self.picture, self.table, self.words = LayeredBox(), TableBox(), Notice()
        self._arrange()
        self._listen()
        self.call(self._choose, None)

    def _make_controls(self, family: str, level: float, intervals: str) -> None:
        fit = self.fit
        recipes = [("a recipe nothing is known of", _UNKNOWN), ("a new family with scores", _NEW)]
        self.family = labelled(
            ipywidgets.Dropdown, "Family", "whose model it is; type to find a name",
            options=[*recipes, *((name, name) for name in fit.families)], value=family,
        )  # fmt: skip
        self.level = labelled(
            NumberSlider, "Level", "the probability that an interval holds the score",
            min=0.5, max=0.99, step=0.01, value=level,
        )  # fmt: skip
        kinds = [name for name in INTERVALS if name != "calibrated" or fit.calibration is not None]
        self.intervals = labelled(
            ipywidgets.Dropdown, "Intervals", "calibrated by hold-outs, the model's own (its "
            "parameters uncertain), or plug-in (its parameters taken as known)",
            options=[(KINDS[name], name) for name in kinds], value=intervals,
        )  # fmt: skip
        self.all_draws = labelled(
            ipywidgets.Button, "All draws", f"draw the picture again with {_ALL:,} draws instead "
            "of a few", icon="bullseye",
        )  # fmt: skip

    def _arrange(self) -> None:
        known = ipywidgets.Accordion(
            [ipywidgets.Box(list(self.scores.values()), layout={"flex_flow": "row wrap"})],
            titles=("Scores that are known (from 0 to 1; leave the others blank)",),
        )
        self.controls.children = [
            self.family, *self.features.values(), self.level, self.intervals, self.all_draws,
        ]  # fmt: skip
        shown = ipywidgets.Box([self.picture, self.table], layout={"flex_flow": "row wrap"})
        self.body.children = [known, self.words, shown]

    def _listen(self) -> None:
        self.on(self.family, "value", self._choose)
        for control in (*self.features.values(), *self.scores.values(), self.level, self.intervals):
            self.on(control, "value", lambda _: self._show())
        self.on_click(self.all_draws, lambda _: self._show(_ALL))

    @property
    def prediction(self) -> Prediction | None:
        """The last prediction that was shown, with all draws; None if there was none."""
        if self._prediction is not None and not self._full:
            with listening():  # what there is to hear was said when it was shown
                self._prediction, self._full = self._predicted(self._asked, _ALL), True
        return self._prediction

    def _choose(self, _: object) -> None:
        """Take over from a family's largest model all but its size, and predict."""
        for box in self.scores.values():
            box.disabled = self.family.value == _UNKNOWN
        others = [column for column in self.features if column != "params_b"]
        set_controls(self.features, as_in_family(self.fit, self.family.value, others))
        self._show()

    def _show(self, draws: int | None = None) -> None:
        """Predict what the controls ask for, and show it."""
        asked = self._settings()
        draws = _QUICK[self.family.value in self.fit.families] if draws is None else draws
        prediction = self._predicted(asked, draws)
        self._asked, self._prediction, self._full = asked, prediction, draws == _ALL
        far = beyond(self._ranges, self._values())
        self.words.say(" ".join([*in_words(prediction, self.fit), *far]))
        self.picture.show_layers(
            lambda ax: plot_forecast_ground(prediction, ax=ax),
            lambda ax: plot_forecast_intervals(prediction, ax=ax),
            alt=describe_prediction(prediction), size=(6.2, 0.9 + 0.23 * len(prediction.table)),
            keep="benchmarks",
        )  # fmt: skip
        self.table.show(
            prediction.table, file="prediction.csv", read=table_to_read(prediction),
            caption=f"Scores with {prediction.level:.0%} intervals ({draws:,} draws)",
            formats=dict.fromkeys(("median", "lower", "upper", "known"), ".3f"),
        )  # fmt: skip
        if self.family.value == _NEW and prediction.table["known_score"].isna().all():
            self.notice.warn(
                "Give at least one score of the new family, below. Until then its recipe is drawn "
                "from the population."
            )

    def _values(self) -> dict[str, Any]:
        return {column: control.value for column, control in self.features.items()}

    def _settings(self) -> dict[str, Any]:
        """Return all that a prediction depends on, as the controls stand."""
        given = {} if self.family.value == _UNKNOWN else self.scores
        table = asked(
            self.fit, self.family.value, self._values(),
            {benchmark: box.value for benchmark, box in given.items()},
        )  # fmt: skip
        return {"models": table, "level": self.level.value, "intervals": self.intervals.value}

    def _predicted(self, settings: dict[str, Any], draws: int) -> Prediction:
        return self.fit.predict(**settings, draws=draws, new_family="population")


def _score_boxes(fit: Fit) -> dict[str, Any]:
    """Return a box for each benchmark's known score."""
    labels = benchmark_labels(fit.panel)
    return {
        name: labelled(
            ipywidgets.Text, labels[name], f"a known score on {labels[name]}, from 0 to 1, or "
            "nothing", placeholder="0 to 1", continuous_update=False, layout={"width": "215px"},
        )
        for name in fit.benchmarks
    }  # fmt: skip


def asked(
    fit: Fit, family: str, features: Mapping[str, Any], scores: Mapping[str, str]
) -> pd.DataFrame:
    """Return the row that asks for a prediction.

    Parameters
    ----------
    fit : Fit
        What will predict.
    family : str
        A name, or blank.
    features : mapping of str to value
        Of the columns that the features need.
    scores : mapping of str to str
        Known scores by benchmark, as they were written.
    """
    name = "this model"
    while name in fit.panel.models.index:
        name += "'"
    known = {benchmark: text for benchmark, text in scores.items() if text.strip()}
    whose = "" if family == _NEW else family
    return pd.DataFrame([{"model": name, "family": whose, **features, **known}])


def table_to_read(prediction: Prediction) -> pd.DataFrame:
    """Return what the widget's table shows: a row for each benchmark."""
    table = prediction.table
    shown = {
        "benchmark": table["benchmark"].map(prediction.labels),
        **{column: table[column] for column in ("median", "lower", "upper")},
        "known": table["known_score"],
    }
    return pd.DataFrame(shown)


def in_words(prediction: Prediction, fit: Fit) -> list[str]:
    """Say what a prediction of one model rests on, sentence by sentence.

    Parameters
    ----------
    prediction : Prediction
        Of one model.
    fit : Fit
        What predicted.
    """
    row = prediction.table.iloc[0]
    given = int(prediction.table["known_score"].notna().sum())
    return [
        _family_in_words(row["family_kind"], row["family"], int(row["n_known"]), given, fit),
        _kind_in_words(prediction, fit),
        *_distance_in_words(float(row["distance"])),
    ]


def _family_in_words(kind: str, family: str, n_known: int, given: int, fit: Fit) -> str:
    if kind == "known":
        fitted = count(n_known - bool(given), "model")
        more = f" and {count(given, 'score')} given here" if given else ""
        return f"The family {family} is known by {fitted} of the fit{more}."
    if kind == "new":
        return (
            f"A new family, known by {count(given, 'score')} given here; the rest of what its "
            "recipe is like is drawn from the population."
        )
    return (
        "Nothing is known of the recipe: it is drawn from the population of "
        f"{fit.n_families} families, and intervals are wide."
    )


def _kind_in_words(prediction: Prediction, fit: Fit) -> str:
    level = f"{prediction.level:.0%}"
    if prediction.intervals == "calibrated":
        return f"The {level} intervals are calibrated: as wide as held-out scores taught."
    advice = (
        "calibrated ones are in the menu"
        if fit.calibration is not None
        else "fit.calibrate() teaches the fit better ones"
    )
    taken = {
        "model": "are the model's own, which take the model as right",
        "plugin": "take the model as right and its parameters as known",
    }[prediction.intervals]
    return f"The {level} intervals {taken}, and tend to be too narrow: {advice}."


def _distance_in_words(distance: float) -> list[str]:
    if not distance > 0.0:
        return []
    return [
        f"The size lies outside the sizes at which the family is known, by a factor of "
        f"{10.0**distance:.3g}: this extrapolates."
    ]
