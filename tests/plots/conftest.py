"""Fits that all pictures are tried on: of real families, and of names that are hard to show."""

from __future__ import annotations

import pytest
from pictures import made_backtest, odd_panel

import lvkit as lv
from lvkit.estimation.family_posterior import FamilyPosterior
from lvkit.fit.backtest import Backtest
from lvkit.prediction.predict import Prediction


@pytest.fixture(scope="session", params=["real", "odd"])
def selection(request: pytest.FixtureRequest, leaderboard: lv.Panel) -> lv.Selection:
    if request.param == "odd":
        model = lv.LatentSkillModel(n_skills=1, features="log_params")
        return lv.select_skills(odd_panel(), [1, 2], model)
    some = leaderboard.complete()
    return lv.select_skills(some.select(families=some.families[:9]), [1, 2])


@pytest.fixture(scope="session")
def fit(selection: lv.Selection) -> lv.Fit:
    return selection.fits[2]


@pytest.fixture(scope="session")
def post(fit: lv.Fit) -> FamilyPosterior:
    return fit.sample_families(4000)


@pytest.fixture(scope="session")
def prediction(fit: lv.Fit) -> Prediction:
    """Eight models, which are more than are drawn."""
    models = fit.panel.models.loc[list(fit.prepared.models[:8])]
    return fit.predict(models, intervals="plugin", draws=200)


@pytest.fixture(scope="session")
def held_out() -> Backtest:
    return made_backtest()
