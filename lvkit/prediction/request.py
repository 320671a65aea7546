"""The models to predict: their families, features and known scores.

A model to be predicted belongs to one of three kinds of family, and each is said, never guessed:

* ``known``: its family is in the fit; the family's scores tell its latent vector;
* ``new``: its family is not in the fit, but comes with a few scores of its own, which are
  conditioned on without fitting again;
* ``unknown``: nothing is known of the recipe; its latent vector is drawn from the population.

Scores given with the models are known scores: they are conditioned on, whatever the family.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import is_blank, name_text, no_name, parse_number, without_rounding
from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, nearest
from lvkit.estimation.fitted import Fitted
from lvkit.model.prepared import slope_position
from lvkit.model.score_table import ScoreTable
from lvkit.prediction.extrapolation import Beyond, beyond
from lvkit.tools.checks import check_choice

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

KINDS = ("known", "new", "unknown")

_DESCRIPTIVE = ("model", "family", "lineage", "params_b", "tokens_t")


@dataclass(frozen=True, eq=False)
class Request:
    """Models to be predicted, arranged.

    Attributes
    ----------
    models, families, kinds : tuple of str, length n
        Names, families ("" where the recipe is unknown) and kinds of family.
    scores : ndarray, shape (n, J)
        What was given with them, NaN where nothing was; benchmarks in the order of the fit.
    features, design : ndarray, shapes (n, p) and (n, m)
        Centred features and latent design.
    group : ndarray of int, shape (n,)
        Position of each model's family among the families with evidence, -1 without any.
    evidence : ScoreTable or None
        The scores that tell those families' latent vectors; None if there are none.
    evidence_models : tuple of str
        The models of the evidence, in its order.
    distance : ndarray, shape (n,)
        How far each model lies outside the sizes of its family's evidence, above or below, in
        powers of ten; 0 inside, NaN without evidence.
    n_known : ndarray of int, shape (n,)
        Number of models in the evidence of each model's family.
    keys : tuple of str, length n
        What a model's latent vector goes by: its family, or its own name where it has none.
    beyond : tuple of Beyond
        Values outside the range of the fitted models.
    """

    models: tuple[str, ...]
    families: tuple[str, ...]
    kinds: tuple[str, ...]
    scores: Array
    features: Array
    design: Array
    group: Index
    evidence: ScoreTable | None
    evidence_models: tuple[str, ...]
    distance: Array
    n_known: Index
    keys: tuple[str, ...]
    beyond: tuple[Beyond, ...]

    @property
    def outside(self) -> tuple[list[str], Array]:
        """For each model the column in which it lies farthest outside the fit, and the factor.

        An empty name and 1 where it lies inside in all of them.
        """
        names, factors = [""] * self.size, np.ones(self.size)
        place = {model: at for at, model in enumerate(self.models)}
        for value in self.beyond:
            at = place[value.model]
            if value.factor > factors[at]:
                names[at], factors[at] = value.column, value.factor
        return names, factors

    @property
    def size(self) -> int:
        """Number of models asked for."""
        return len(self.models)


def read_request(fit: Fitted, models: pd.DataFrame | Panel, new_family: str) -> Request:
    """Check and arrange what is asked for.

    Parameters
    ----------
    fit : Fitted
        The fit that will answer.
    models : DataFrame or Panel
        A row for each model; column (or index) ``model``, and ``family``, ``params_b`` and
        whatever the features need; columns named after benchmarks hold known scores.
    new_family : {"error", "population"}
        What to do with a family that is not in the fit and has no scores.

    Returns
    -------
    Request

    Raises
    ------
    LvkitError
        For whatever is missing, misspelt or out of range, with its row and column.
    """
    check_choice(new_family, ("error", "population"), "new_family")
    table = _as_table(fit, models)
    scores = _known_scores(fit, table)
    described = table.drop(columns=[c for c in table.columns if c in fit.benchmarks])
    features = _features(fit, described)
    families = _families(fit, described)
    measured = [bool(row.any()) for row in ~np.isnan(scores)]
    scored = {family for family, has_score in zip(families, measured, strict=True) if has_score}
    names = table.index.to_list()
    kinds, keys = [], []
    for name, family, has_score in zip(names, families, measured, strict=True):
        kind, key = _kind(fit, name, family, has_score, scored, new_family)
        kinds.append(kind)
        keys.append(key)
    known = sorted({key for key in keys if key in fit.families})
    groups = [*known, *sorted({key for key in keys if key} - set(known))]
    position = {key: at for at, key in enumerate(groups)}
    group = np.array([position.get(key, -1) for key in keys], dtype=np.intp)
    design = _design(fit, features)
    evidence, evidence_models = _evidence(fit, known, names, group, scores, features, design)
    return Request(
        tuple(names),
        tuple(families),
        tuple(kinds),
        scores,
        features,
        design,
        group,
        evidence,
        evidence_models,
        _distances(fit, described, group, evidence, evidence_models),
        _counts(group, evidence),
        tuple(key or f"\x00{name}" for key, name in zip(keys, names, strict=True)),
        beyond(fit, described),
    )


def _counts(group: Index, evidence: ScoreTable | None) -> Index:
    """Return the number of models in the evidence of each model's family."""
    if evidence is None:
        return np.zeros(len(group), dtype=np.intp)
    pairs = np.unique(np.stack([evidence.family, evidence.model]), axis=1)
    counts = np.bincount(pairs[0], minlength=evidence.n_families)
    return np.append(counts, 0)[group]


def _distances(
    fit: Fitted,
    described: pd.DataFrame,
    group: Index,
    evidence: ScoreTable | None,
    evidence_models: tuple[str, ...],
) -> Array:
    """Return how far each model lies outside its family's sizes, in powers of ten."""
    if evidence is None or "params_b" not in described:
        return np.full(len(group), np.nan)
    given = _log_sizes(described["params_b"])
    log_size = pd.concat([_log_sizes(fit.panel.models["params_b"]), given])
    log_size = log_size[~log_size.index.duplicated()]
    ends = np.full((2, evidence.n_families + 1), np.nan)  # largest, and minus the smallest
    ends[:, :-1] = -np.inf
    of_model = log_size[list(evidence_models)].to_numpy()[evidence.model]
    np.maximum.at(ends[0], evidence.family, of_model)
    np.maximum.at(ends[1], evidence.family, -of_model)
    own = given.to_numpy()
    outside = np.maximum(own - ends[0][group], -own - ends[1][group])
    return np.asarray(np.maximum(outside, 0.0))


def _log_sizes(column: pd.Series) -> pd.Series:
    """Return log10 of sizes, NaN where there is none (the features may do without)."""
    sizes = pd.to_numeric(column, errors="coerce").astype(float)
    return sizes.where(sizes > 0.0).map(np.log10)


def _name(cell: object, fitted: Container[str]) -> str:
    """Return a name of the request: as it is if it was fitted so, else in its one spelling."""
    return str(cell) if str(cell) in fitted else name_text(cell)


def _as_table(fit: Fitted, models: object) -> pd.DataFrame:
    """Return the models as a table indexed by name."""
    if isinstance(models, Panel):
        return models.models.join(models.scores)
    if not isinstance(models, pd.DataFrame):
        raise LvkitError(
            f"got a {type(models).__name__}",
            where="models",
            expected="a DataFrame with a row for each model, or a Panel",
        )
    table = models.copy()
    columns = {*fit.panel.models.columns, *fit.benchmarks}
    table.columns = pd.Index([_name(column, columns) for column in table.columns])
    _refuse_repeated_columns(table.columns)
    if "model" in table.columns:
        table = table.set_index("model")
    elif table.index.name != "model":
        raise LvkitError(
            "no column 'model'",
            where="models",
            expected="the models' names in a column or an index called 'model'",
        )
    if not len(table):
        raise LvkitError("got no model", where="models", expected="at least one row")
    for at, name in enumerate(table.index):
        if not name_text(name):
            raise LvkitError(no_name(name), where=f"models, row {at + 1}", expected="a name")
    table.index = pd.Index([_name(n, fit.panel.models.index) for n in table.index], name="model")
    if len(doubles := table.index[table.index.duplicated()]):
        raise LvkitError(
            f"got '{doubles[0]}' more than once",
            where="models",
            expected="a different name for each model",
        )
    return table


def _refuse_repeated_columns(columns: pd.Index) -> None:
    """Refuse a column name that occurs more than once."""
    for name in columns[columns.duplicated()]:
        times = int((columns == name).sum())
        raise LvkitError(
            f"column '{name}' occurs {'twice' if times == 2 else f'{times} times'}",
            where=f"models, column '{name}'",
            expected="each column once",
            remedy="Delete or rename the copies.",
        )


def _known_scores(fit: Fitted, table: pd.DataFrame) -> Array:
    """Return the scores given with the models; refuse columns that are neither here nor there."""
    familiar = {*_DESCRIPTIVE, *fit.panel.models.columns, *fit.prepared.features.columns}
    strange = [c for c in table.columns if c not in familiar and c not in fit.benchmarks]
    strange = [c for c in strange if _holds_numbers(table[c])]
    if strange:
        raise LvkitError(
            f"got '{strange[0]}', which is no fitted benchmark and no column of the fitted panel",
            where=f"models, column '{strange[0]}'",
            expected="known scores for " + ", ".join(fit.benchmarks),
            remedy=f"{nearest(str(strange[0]), fit.benchmarks)} Rename the column or leave it "
            "out.".strip(),
        )
    scores = np.full((len(table), len(fit.benchmarks)), np.nan)
    for j, benchmark in enumerate(fit.benchmarks):
        if benchmark in table.columns:
            scores[:, j] = [
                _score(cell, name, benchmark) for name, cell in table[benchmark].items()
            ]
    return scores


def _holds_numbers(column: pd.Series) -> bool:
    """Whether a column holds numbers, be it as text, and may be meant as scores."""
    cells = [cell for cell in column if not is_blank(cell)]
    as_text = bool(cells) and all(parse_number(cell) is not None for cell in cells)
    return as_text or bool(pd.api.types.is_numeric_dtype(column))


def _score(cell: object, model: object, benchmark: str) -> float:
    if is_blank(cell):
        return float("nan")
    number = parse_number(cell)
    number = None if number is None else float(without_rounding(np.array([number]))[0])
    if number is None or not 0.0 <= number <= 1.0:
        raise LvkitError(
            f"got {cell!r}",
            where=f"model '{model}', column '{benchmark}'",
            expected="a score from 0 to 1, or a blank",
            remedy="Divide scores in percent by 100.",
        )
    return number


def _features(fit: Fitted, described: pd.DataFrame) -> Array:
    learned = fit.prepared.features
    lacks = learned.missing(described)
    if len(lacks):
        raise LvkitError(
            str(lacks.iloc[0]),
            where=f"model '{lacks.index[0]}'",
            expected="everything the features need: " + ", ".join(learned.columns),
            remedy="Fill it in; a guess is better than none if you try several.",
        )
    return learned.values(described)


def _families(fit: Fitted, described: pd.DataFrame) -> list[str]:
    if "family" not in described.columns:
        raise LvkitError(
            "no column 'family'",
            where="models",
            expected="each model's family",
            remedy="Leave its cells blank for recipes that nothing is known of.",
        )
    return [_name(cell, fit.families) for cell in described["family"]]


def _kind(
    fit: Fitted, name: str, family: str, has_score: bool, scored: set[str], new_family: str
) -> tuple[str, str]:
    """Return a model's kind of family and the key its family's evidence goes by ("" for none)."""
    if family in fit.families:
        return "known", family
    if not family:
        return ("new", f"\x00{name}") if has_score else ("unknown", "")
    if family in scored:
        return "new", family
    if new_family == "population":
        return "unknown", ""
    raise LvkitError(
        f"got '{family}', a family that is not in the fit and has no scores",
        where=f"model '{name}', column 'family'",
        expected="a fitted family, a new one with known scores, or a blank",
        remedy=f"{nearest(family, fit.families)} Give a few of its scores, or say "
        'new_family="population" to draw its recipe from all families.'.strip(),
    )


def _design(fit: Fitted, features: Array) -> Array:
    """Latent design of the models: ones and, with family slopes, the feature that has them."""
    ones = np.ones((len(features), 1))
    if fit.model.family_slopes is None:
        return ones
    at = slope_position(fit.model.family_slopes, fit.feature_names)
    return np.concatenate([ones, features[:, at : at + 1]], axis=1)


def _evidence(
    fit: Fitted,
    known: list[str],
    names: list[str],
    group: Index,
    scores: Array,
    features: Array,
    design: Array,
) -> tuple[ScoreTable | None, tuple[str, ...]]:
    """Gather what tells the latent vectors: fitted scores of known families, and given ones.

    A model that is in the fit is counted once: its fitted scores stand, and what is given with it
    fills its gaps.
    """
    family_of = fit.panel.models["family"]
    fitted = [m for m in fit.prepared.models if family_of[m] in known]
    code = {family: at for at, family in enumerate(known)}
    measured = (group >= 0) & ~np.isnan(scores).all(axis=1)
    place = {(name, code[family_of[name]]): at for at, name in enumerate(fitted)}
    again = [place.get((name, int(at))) for name, at in zip(names, group, strict=True)]
    given = [at for at in np.flatnonzero(measured) if again[at] is None]
    if not fitted and not given:
        return None, ()
    x = fit.prepared.features.values(fit.panel.models.loc[fitted])
    old = fit.panel.scores.loc[fitted, list(fit.benchmarks)].to_numpy(float, copy=True)
    for at, row in enumerate(again):
        if row is not None:
            old[row] = np.where(np.isnan(old[row]), scores[at], old[row])
    rows = np.concatenate([old, scores[given]])
    codes = np.concatenate([[code[family_of[m]] for m in fitted], group[given]]).astype(np.intp)
    table = ScoreTable.build(
        rows,
        codes,
        np.concatenate([x, features[given]]),
        np.concatenate([_design(fit, x), design[given]]),
        fit.model.clip,
    )
    return table, (*fitted, *(names[at] for at in given))
