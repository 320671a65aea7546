"""Panels drawn from the model, with the true values attached.

Draw the models' sizes and tokens, or take real ones; draw each family's latent vector; compute the
skills; draw the scores. What was drawn is kept, so that a fit can be held against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, count
from lvkit.model.beta import response
from lvkit.model.features import FeatureMap
from lvkit.model.formula import DEFAULT_FEATURES
from lvkit.model.parameters import Parameters
from lvkit.model.prepared import slope_position
from lvkit.tools.checks import check_whole

Array = npt.NDArray[np.float64]


_LEAST_MEAN = 1e-9
"""Expected scores are held this far from 0 and 1, where a Beta distribution ends."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What a simulated panel was drawn from.

    Attributes
    ----------
    params : Parameters
        The parameters.
    family_effects : DataFrame
        The families' latent variables, families x skills.
    skill_scores : DataFrame
        The models' skills, models x skills.
    """

    params: Parameters
    family_effects: pd.DataFrame
    skill_scores: pd.DataFrame


def simulate_models(n_families: int, models_per_family: int, *, seed: int = 0) -> pd.DataFrame:
    """Draw a table of models: sizes from 0.1 to 100 billion, tokens from 0.1 to 10 trillion.

    Parameters
    ----------
    n_families, models_per_family : int
        How many.
    seed : int
        Seed of the draws.

    Returns
    -------
    DataFrame
        Index ``model``; columns ``family``, ``params_b``, ``tokens_t``. Sizes are log-uniform;
        tokens vary mostly between families, as they do in practice.

    Examples
    --------
    >>> simulate_models(2, 2).index.tolist()
    ['family-1-a', 'family-1-b', 'family-2-a', 'family-2-b']
    """
    rng = np.random.default_rng([check_whole(seed, "seed", 0), 0])
    check_whole(n_families, "n_families")
    check_whole(models_per_family, "models_per_family")
    n_models = n_families * models_per_family
    family = np.repeat(np.arange(1, n_families + 1), models_per_family)
    size = rng.uniform(-1.0, 2.0, n_models)
    tokens = rng.uniform(-0.9, 0.9, n_families)[family - 1] + rng.uniform(-0.1, 0.1, n_models)
    letters = [_letters(i % models_per_family) for i in range(n_models)]
    names = [f"family-{f}-{letter}" for f, letter in zip(family, letters, strict=True)]
    return pd.DataFrame(
        {
            "family": [f"family-{f}" for f in family],
            "params_b": np.round(10.0**size, 4),
            "tokens_t": np.round(10.0**tokens, 4),
        },
        index=pd.Index(names, name="model"),
    )


def _letters(number: int) -> str:
    """Return a, b, ..., z, aa, ab, ... for 0, 1, ..."""
    text = ""
    while number >= 0:
        text = chr(ord("a") + number % 26) + text
        number = number // 26 - 1
    return text


def simulate(
    params: Parameters,
    models: pd.DataFrame,
    *,
    features: str = DEFAULT_FEATURES,
    family_slopes: str = "log_params",
    benchmarks: Sequence[str] | None = None,
    missing: float = 0.0,
    seed: int = 0,
) -> Panel:
    """Draw a panel from the model.

    Parameters
    ----------
    params : Parameters
        The truth; ``params.slopes`` has a column for each feature.
    models : DataFrame
        Index ``model``; columns ``family``, ``params_b`` and what the features need.
    features : str
        Formula of the features; they are centred on these models' mean.
    family_slopes : str
        The feature whose slopes differ between families, where ``params.slope_sd`` says so.
    benchmarks : sequence of str, optional
        Names of the benchmarks; ``bench_1``, ``bench_2``, ... by default.
    missing : float
        Share of scores that are not measured, at random, from 0 to below 1; every model and every
        benchmark keeps at least one.
    seed : int
        Seed of the draws.

    Returns
    -------
    Panel
        Its attribute ``truth`` holds a :class:`Truth`: parameters, the families'
        latent variables and the models' skills.

    Raises
    ------
    LvkitError
        If parameters and features do not fit together.
    """
    rng = np.random.default_rng([check_whole(seed, "seed", 0), 1])
    learned = FeatureMap.learn(features, models)
    x = _complete_features(learned, models)
    if params.slopes.shape != (params.n_skills, x.shape[1]):
        raise LvkitError(
            f"slopes of shape {params.slopes.shape}",
            where="params",
            expected=f"{(params.n_skills, x.shape[1])}: skills x features {learned.names}",
        )
    names = _checked_names(benchmarks, params.n_benchmarks)
    if "family" not in models:
        raise LvkitError("no column 'family'", where="models", expected="a family for each model")
    codes, families = pd.factorize(models["family"])
    factor = params.frame.factor
    z = rng.standard_normal((len(families), factor.shape[2]))
    alpha = z @ factor[0].T
    skills = alpha[codes] + x @ params.slopes.T
    if len(factor) > 1:
        at = slope_position(family_slopes, learned.names)
        skills += x[:, at : at + 1] * (z @ factor[1].T)[codes]
    mean = response(skills @ params.loadings.T + params.intercepts, params.floors)
    mean = np.clip(mean, _LEAST_MEAN, 1.0 - _LEAST_MEAN)
    y = rng.beta(mean * params.precisions, (1.0 - mean) * params.precisions)
    y[_gaps(rng, y.shape, missing)] = np.nan
    table = models.reset_index().join(pd.DataFrame(y, columns=names))
    told = dict.fromkeys(models.columns) | dict(zip(names, params.floors, strict=True))
    panel = Panel.from_frame(table, benchmarks=told)  # what the models bring along are features
    skill_names = pd.Index([f"skill_{k + 1}" for k in range(params.n_skills)], name="skill")
    truth = Truth(
        params,
        pd.DataFrame(alpha, pd.Index(families, name="family"), skill_names),
        pd.DataFrame(skills, pd.Index(models.index, name="model"), skill_names),
    )
    return panel.with_truth(truth)


def _checked_names(benchmarks: Sequence[str] | None, number: int) -> list[str]:
    """Return the benchmarks' names, one for each row of the loadings."""
    if benchmarks is None:
        return [f"bench_{j + 1}" for j in range(number)]
    if len(benchmarks) != number:
        raise LvkitError(
            f"got {count(len(benchmarks), 'name')}",
            where="benchmarks",
            expected=f"{number}, one for each row of params.loadings",
        )
    return list(benchmarks)


def _complete_features(learned: FeatureMap, models: pd.DataFrame) -> Array:
    """Return the models' features; refuse models that lack something."""
    lacks = learned.missing(models)
    if len(lacks):
        raise LvkitError(
            str(lacks.iloc[0]),
            where=f"model '{lacks.index[0]}'",
            expected="everything the features need",
            remedy="Fill it in, leave the model out, or use other features.",
        )
    return learned.values(models)


def _gaps(
    rng: np.random.Generator, shape: tuple[int, ...], missing: float
) -> npt.NDArray[np.bool_]:
    """Choose what is not measured, leaving every row and column at least one score."""
    if not 0.0 <= missing < 1.0:
        raise LvkitError(f"got {missing!r}", where="missing", expected="a share from 0 to below 1")
    gaps = rng.random(shape) < missing
    rows, columns = shape
    gaps[np.arange(rows), np.arange(rows) % columns] = False
    if rows < columns:
        gaps[0] = False
    return gaps
