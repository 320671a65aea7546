"""The number of skills: fits with different K, compared by likelihood, AIC and BIC.

Likelihoods are comparable only between fits of the same scores, clipped alike; :func:`compare`
checks that and gives information criteria and Akaike weights.

More skills always raise the likelihood; Akaike's criterion asks whether they raise it by more than
their number of parameters. The search is a chain: each number of skills starts from the principal
components, and from the fit with one skill fewer, extended along what that fit leaves unexplained,
so that the likelihood cannot fall along the chain.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, LvkitWarning, count
from lvkit.estimation.estimate import Climb, climb_from, make_fit, objective_for, prepared_for
from lvkit.estimation.mml import MarginalNewton
from lvkit.estimation.objective import Report, Step
from lvkit.estimation.starts import grown, principal, shaken
from lvkit.fit.fit import Fit
from lvkit.fit.latent_skill_model import LatentSkillModel
from lvkit.model.coordinates import Frame
from lvkit.model.prepared import Prepared
from lvkit.tools.checks import check_choice, check_whole, check_workers
from lvkit.tools.progress import Progress, ProgressChoice, progress_bar

USUAL_SKILLS = 4
"""The number of skills that is interpreted if none is asked for, as in arXiv 2512.06553."""

USUAL_RANGE = 6
"""The largest number of skills that is tried if none is asked for."""

_DIRECTIONS = 1
"""Residual directions tried for a new skill."""

_MANY = 5
"""From this number of skills on there are several optima, and more starts are tried."""

_SHAKEN = 1

_LOOK = MarginalNewton(polish=False, tolerance=0.1)
"""A first look at each start."""

_POLISH = MarginalNewton(by_parts=False)
"""Only the best is climbed to the top, from where its look ended."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Fits with different numbers of skills, and their criteria.

    Attributes
    ----------
    fits : dict of int to Fit
        The best fit for each number of skills.
    table : DataFrame
        Index ``K``; columns ``loglik``, ``n_params``, ``aic``, ``bic``, ``delta_aic`` (above the
        lowest), ``weight`` (Akaike weights), ``seconds`` (of computing, over all starts) and
        ``converged``.
    """

    fits: dict[int, Fit]
    table: pd.DataFrame

    def best(self, criterion: Literal["aic", "bic"] = "aic") -> Fit:
        """Return the fit with the lowest criterion.

        Raises
        ------
        LvkitError
            For another criterion than ``"aic"`` or ``"bic"``.
        """
        check_choice(criterion, ("aic", "bic"), "criterion")
        return self.fits[self.table.index[int(np.argmin(self.table[criterion]))]]

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format="{:.3g}".format))


def select_skills(
    panel: Panel,
    n_skills: Iterable[int] | None = None,
    model: LatentSkillModel | None = None,
    *,
    seed: int = 0,
    n_jobs: int | None = 1,
    progress: ProgressChoice = False,
    report: Callable[[Selection], object] | None = None,
) -> Selection:
    """Fit a model with several numbers of skills and compare them.

    Parameters
    ----------
    panel : Panel
        The data.
    n_skills : iterable of int, optional
        The numbers of skills K to try. None: what :func:`skill_range` says, which is 1 to 6 unless
        there are too few benchmarks or scores. Numbers you give are never left out: those that are
        too large are refused.
    model : LatentSkillModel, optional
        Settings; the default model's if left out. Its anchors serve for the K of their number, the
        others are chosen by lvkit: the likelihood does not depend on them.
    seed : int
        Seed of nodes and starts.
    n_jobs : int, optional
        Workers, by joblib under the backend of your choice (``joblib.parallel_config``). The
        numbers do not depend on it.
    progress : bool or tqdm class
        Show a bar over the starts.
    report : callable, optional
        Called with the selection so far after each number of skills. Work that is stopped on its
        way, by you or by an error, loses nothing of what was reported.

    Returns
    -------
    Selection

    Raises
    ------
    LvkitError
        For numbers of skills that are none, and for whatever does not fit the panel.

    Examples
    --------
    What is done is kept when the search is stopped:

    >>> import lvkit as lv
    >>> done = []
    >>> def keep(selection):
    ...     done.append(selection)
    ...     raise KeyboardInterrupt  # as if you had pressed Ctrl+C
    >>> try:
    ...     selection = select_skills(lv.load_leaderboard().complete(), [1, 2], report=keep)
    ... except KeyboardInterrupt:
    ...     selection = done[-1]
    >>> list(selection.fits)
    [1]
    """
    asked = None if n_skills is None else _checked_numbers(n_skills)
    seed, n_jobs = check_whole(seed, "seed", 0), check_workers(n_jobs)
    model = _checked_model(model)
    if model.family_slopes is not None:
        raise LvkitError(
            f"got family_slopes={model.family_slopes!r}",
            where="select_skills",
            remedy="Choose the number of skills without family slopes, then fit with them.",
        )
    prepared = prepared_for(model, panel)
    numbers = list(_bearable(model, prepared, USUAL_RANGE)) if asked is None else asked
    for k in numbers:  # refused before hours are spent, not after
        objective_for(_settings(model, k), prepared, k)
    fits: dict[int, Fit] = {}
    seconds: dict[int, float] = {}
    previous: Fit | None = None
    total = sum(_count_starts(k) + 1 for k in numbers)
    with progress_bar(progress, total=total, label="Choosing K") as bar:
        for k in numbers:
            climbs = []
            show = _shown_on(bar, k)
            for climb in _climbs(model, prepared, k, previous, seed, n_jobs, show):
                climbs.append(climb)
                bar.update()
                show(climb.ascent.trace[-1])
            settings = _settings(model, k)
            hill = objective_for(settings, prepared, k)
            fitted = make_fit(
                settings, panel, prepared, hill, climbs, best=climbs[-1], method="mml", seed=seed
            )
            previous = fits[k] = Fit.of(fitted)
            seconds[k] = sum(climb.seconds for climb in climbs)
            if report is not None:
                report(_selection(fits, seconds))
    return _selection(fits, seconds)


def _shown_on(bar: Progress, k: int) -> Report:
    """Return what shows each step on the bar, so that a bar which stops the work does so soon."""

    def show(step: Step) -> None:
        value = f"log-likelihood {step.loglik:.1f}"  # not a number on a part of a large panel
        bar.set_postfix_str(f"K = {k}, {value if step.loglik == step.loglik else 'a first part'}")

    return show


def _selection(fits: dict[int, Fit], seconds: dict[int, float]) -> Selection:
    """Put the fits so far side by side."""
    table = criteria(list(fits.values()), pd.Index(list(fits), name="K"))
    table["seconds"] = pd.Series(seconds)
    table["converged"] = [fit.converged for fit in fits.values()]
    return Selection(dict(fits), table)


def skill_range(
    panel: Panel, model: LatentSkillModel | None = None, *, most: int = USUAL_RANGE
) -> range:
    """Return the numbers of skills that a panel can bear: 1 to `most`, or to fewer.

    Parameters
    ----------
    panel : Panel
        The data.
    model : LatentSkillModel, optional
        Settings; the default model's if left out. Its own number of skills means nothing here.
    most : int
        The largest number to return.

    Returns
    -------
    range
        From 1 to the largest K, up to `most`, with no more skills than benchmarks, fewer parameters
        than scores, and enough scores on each benchmark.

    Raises
    ------
    LvkitError
        If the data do not suit the model, or cannot bear a single skill.

    Warns
    -----
    LvkitWarning
        If the benchmarks would bear more skills than their scores do, with the reason.

    Examples
    --------
    >>> import lvkit as lv
    >>> skill_range(lv.load_leaderboard())
    range(1, 7)
    >>> skill_range(lv.load_leaderboard().select(benchmarks=["mmlu", "bbh", "arc"]))
    range(1, 4)
    """
    most, model = check_whole(most, "most"), _checked_model(model)
    return _bearable(model, prepared_for(model, panel), most)


def _bearable(model: LatentSkillModel, prepared: Prepared, most: int) -> range:
    """Return 1 to the last number of skills, up to `most`, that a fit would not refuse."""
    most = min(most, len(prepared.benchmarks))
    for k in range(1, most + 1):
        try:
            objective_for(_settings(model, k), prepared, k)
        except LvkitError as error:
            if k == 1:
                raise
            warnings.warn(
                f"the number of skills is limited to {k - 1}: {error}", LvkitWarning, stacklevel=3
            )
            return range(1, k)
    return range(1, most + 1)


def _checked_model(model: LatentSkillModel | None) -> LatentSkillModel:
    """Return the settings, or the default ones where none are given."""
    model = LatentSkillModel() if model is None else model
    if not isinstance(model, LatentSkillModel):
        raise LvkitError(f"got {model!r}", where="model", expected="a LatentSkillModel")
    return model


def _checked_numbers(n_skills: Iterable[int]) -> list[int]:
    if not isinstance(n_skills, Iterable) or isinstance(n_skills, str):
        raise LvkitError(
            f"got {n_skills!r}",
            where="n_skills",
            expected="several numbers of skills",
            remedy="Use range(1, 7) for one to six skills.",
        )
    numbers = sorted({check_whole(k, "n_skills") for k in n_skills})
    if not numbers:
        raise LvkitError("got no number", where="n_skills", expected="numbers of skills from 1")
    return numbers


def _settings(model: LatentSkillModel, k: int) -> LatentSkillModel:
    """Return the model's settings with K skills."""
    if model.anchors is not None and len(model.anchors) == k:
        return model
    return replace(model, anchors=None, n_skills=k)


def _count_starts(k: int) -> int:
    return 1 if k == 1 else 1 + _DIRECTIONS + (_SHAKEN if k >= _MANY else 0)


def _frames(prepared: Prepared, k: int, previous: Fit | None, seed: int) -> list[tuple[str, Frame]]:
    """Return starts for K skills: principal components, grown from fewer skills, shaken."""
    first = principal(prepared.search_table, k)
    frames = [("principal", first)]
    if previous is not None and len(previous.skills) == k - 1:
        for direction in range(_DIRECTIONS):
            frame = prepared.to_search(previous.frame)
            start = grown(prepared.search_table, frame, previous.latent_means, direction)
            frames.append((f"grown {direction + 1}", start))
    while len(frames) < _count_starts(k):
        number = len(frames)
        rng = np.random.default_rng([seed, k, number])
        frames.append((f"shaken {number}", shaken(first, rng)))
    return frames


def _climbs(
    model: LatentSkillModel,
    prepared: Prepared,
    k: int,
    previous: Fit | None,
    seed: int,
    n_jobs: int | None,
    report: Report,
) -> Iterable[Climb]:
    """Look at every start, then climb from the best to the top."""
    objective = objective_for(_settings(model, k), prepared, k)
    looks = []
    frames = _frames(prepared, k, previous, seed)
    for climb in climb_from(objective, frames, _LOOK, seed=seed, n_jobs=n_jobs, report=report):
        looks.append(climb)
        yield climb
    best = max(looks, key=lambda climb: climb.loglik)
    last = [(f"{best.start}, polished", best.ascent.frame)]
    yield from climb_from(objective, last, _POLISH, seed=seed, n_jobs=1, report=report)


def bic_by_families(selection: Selection) -> pd.Series[float]:
    """Return the BIC of each number of skills if families, not scores, counted as observations.

    Returns
    -------
    Series
        ``-2 loglik + log(n_families) n_params``, indexed by K. ``selection.table["bic"]`` has the
        number of scores in the place of the number of families. Scores of one family are not
        independent, so that the truth lies between the two.
    """
    table = selection.table
    sizes = pd.Series({skills: fit.n_families for skills, fit in selection.fits.items()})
    values = -2.0 * table["loglik"] + np.log(sizes.loc[table.index]) * table["n_params"]
    return pd.Series(values, name="bic_by_families", dtype=float)


def compare(fits: Iterable[Fit]) -> pd.DataFrame:
    """Compare fits of the same scores by their information criteria.

    Parameters
    ----------
    fits : iterable of Fit
        Fits of different models to the same scores with the same clip.

    Returns
    -------
    DataFrame
        Index ``fit`` (0, 1, ...); columns ``skills``, ``features``, ``family_slopes``, ``floor``,
        ``loglik``, ``n_params``, ``aic``, ``bic``, ``delta_aic`` and ``weight`` (Akaike weights).

    Raises
    ------
    LvkitError
        If the fits rest on different scores or clips: their likelihoods cannot be compared.
    """
    fits = fits if isinstance(fits, Fit) else list(fits)
    if isinstance(fits, Fit) or not all(isinstance(fit, Fit) for fit in fits):
        raise LvkitError("got something else", where="compare", expected="a list of fits")
    if not fits:
        raise LvkitError("got no fit", where="compare", expected="at least one")
    first = _data_of(fits[0])
    for number, fit in enumerate(fits):
        if fit.model.clip != fits[0].model.clip:
            raise LvkitError(
                f"clip {fit.model.clip:g}",
                where=f"fit {number}",
                expected=f"the clip of fit 0, {fits[0].model.clip:g}",
                remedy="Fit again with one clip: the likelihood depends on it.",
            )
        if _data_of(fit) != first:
            raise LvkitError(
                f"{count(fit.n_scores, 'score')} of {count(fit.n_models, 'model')}",
                where=f"fit {number}",
                expected=f"the scores of fit 0: {fits[0].n_scores} of {fits[0].n_models} models",
                remedy="Fit the models to the same panel; features decide which models take part.",
            )
    table = pd.DataFrame(
        {
            "skills": [len(fit.skills) for fit in fits],
            "features": [fit.model.features for fit in fits],
            "family_slopes": [fit.model.family_slopes or "" for fit in fits],
            "floor": [fit.model.floor for fit in fits],
        },
        index=pd.RangeIndex(len(fits), name="fit"),
    )
    return table.join(criteria(fits, table.index))


def criteria(fits: Sequence[Fit], index: pd.Index) -> pd.DataFrame:
    """Return log-likelihoods, criteria and Akaike weights of fits of the same scores."""
    aic = np.array([fit.aic for fit in fits])
    delta = aic - aic.min()
    weight = np.exp(-0.5 * delta)
    return pd.DataFrame(
        {
            "loglik": [fit.loglik for fit in fits],
            "n_params": [fit.n_params for fit in fits],
            "aic": aic,
            "bic": [fit.bic for fit in fits],
            "delta_aic": delta,
            "weight": weight / weight.sum(),
        },
        index=index,
    )


def _data_of(fit: Fit) -> tuple[object, ...]:
    """Return what two fits must share to be compared: models, benchmarks and scores."""
    table = fit.prepared.table
    return (
        fit.prepared.models,
        fit.benchmarks,
        table.seen.log_odds.tobytes(),
        table.model.tobytes(),
        table.benchmark.tobytes(),
    )
