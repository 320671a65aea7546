"""The steps of a report that read and fit its table, and its key numbers for programs.

The steps of a report that are more than one call of the library live here too, so that the notebook
behind it computes nothing itself and a user's own notebook can take the same steps.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lvkit.data.read import open_panel
from lvkit.errors import LvkitError, count
from lvkit.estimation.settings import PAPER_ANCHORS
from lvkit.fit.cache import FitCache
from lvkit.fit.latent_skill_model import LatentSkillModel, load_fit
from lvkit.fit.standings import family_places
from lvkit.reports.as_json import fit_document, installed_versions, plain, plan_document

if TYPE_CHECKING:
    from lvkit.data.panel import Panel
    from lvkit.fit.fit import Fit
    from lvkit.fit.latent_skill_model import LatentSkillModel
    from lvkit.fit.select_skills import Selection
    from lvkit.planning.evaluations import EvaluationPlan
    from lvkit.prediction.predict import Prediction
    from lvkit.reports.plans import FamilyPlans

MIME = "application/vnd.lvkit.key-numbers+json"


def interpreted(
    selection: Selection, n_skills: int, *, family_slopes: str | None = None, cache: str = ""
) -> Fit:
    """Return the fit with `n_skills` skills, named as in the paper where that is possible.

    Parameters
    ----------
    selection : Selection
        What :func:`lvkit.select_skills` returned.
    n_skills : int
        Which of its fits.
    family_slopes : str, optional
        A feature whose slope is to differ between families: the model is fitted once more with
        such slopes, and the same anchors. None or empty for none.
    cache : str
        Folder of the fits that reports share, for that fit; empty for none.

    Returns
    -------
    Fit
        With the anchors the user chose; with four skills and the benchmarks that arXiv:2512.06553
        anchors them to, re-anchored to these; otherwise with the anchors that lvkit chose. The
        likelihood is the same, unless there are family slopes.
    """
    fit = read_through(selection.fits[n_skills])
    if not family_slopes:
        return fit
    changed = {"anchors": fit.anchors, "n_skills": None, "family_slopes": family_slopes}
    model = LatentSkillModel(**vars(fit.model) | changed)
    return report_fit(fit.panel, model, cache=cache, seed=fit.seed)


@dataclass(frozen=True)
class KeyNumbers:
    """A report's key numbers.

    Shown as a small table in notebooks, which carries the document along for programs.

    Attributes
    ----------
    document : mapping
        In JSON's own types. Of all reports: ``versions``, ``fit`` (as ``lvkit fit --json`` prints
        it) and ``highlights``, the few numbers and short words by which reports are compared.
    rows : tuple of (str, str)
        What the table says, and what about.
    """

    document: Mapping[str, Any]
    rows: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return "\n".join(f"{what}: {value}" for what, value in self.rows)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        rows = "".join(
            f'<tr><th scope="row">{html.escape(what)}</th>'
            f'<td class="text">{html.escape(value)}</td></tr>'
            for what, value in self.rows
        )
        table = f"<table><tbody>{rows}</tbody></table>"
        return {"text/plain": str(self), "text/html": table, MIME: dict(self.document)}


def key_numbers(
    selection: Selection,
    fit: Fit,
    *,
    more: Mapping[str, Any] | None = None,
    highlights: Mapping[str, float | str] | None = None,
) -> KeyNumbers:
    """Return what was found and how it was computed.

    Parameters
    ----------
    selection : Selection
        The numbers of skills that were compared.
    fit : Fit
        The fit that was interpreted.
    more : mapping, optional
        What else the document is to hold.
    highlights : mapping, optional
        Numbers or short words by which to compare reports, besides K and AIC.

    Returns
    -------
    KeyNumbers
        Its document also holds ``selection`` (a row for each K) and ``best`` (K by criterion).
    """
    table = selection.table
    best = {name: int(table.index[int(table[name].argmin())]) for name in ("aic", "bic")}
    doubtful = [str(k) for k in table.index[~table["converged"].astype(bool)]]
    most = int(table.index.max())
    told = [f"K = {k}" + (" (the most tried)" if k == most > 1 else "") for k in best.values()]
    others = dict(highlights or {})
    rows = [
        ("lowest AIC, lowest BIC", ", ".join(told)),
        ("not converged", f"K = {', '.join(doubtful)}" if doubtful else "none"),
        *((name, str(value)) for name, value in others.items()),
    ]
    shown = {"K": len(fit.skills), "AIC": round(fit.aic, 1), "lowest AIC at K": best["aic"]}
    held = {"selection": table, "best": best, **(more or {})}
    return document_of(fit, held, highlights=shown | others, rows=rows)


def family_numbers(
    fit: Fit,
    family: str,
    *,
    forecast: Prediction,
    plans: FamilyPlans,
    evaluations: EvaluationPlan,
    level: float = 0.95,
) -> KeyNumbers:
    """Return what a report on one family found, and how it was computed.

    Parameters
    ----------
    fit : Fit
        The fit that was read.
    family : str
        The family the report is about.
    forecast : Prediction
        Its models and next sizes, as :func:`lvkit.fit.standings.family_forecast` predicts them.
    plans : FamilyPlans
        How it would best spend a budget.
    evaluations : EvaluationPlan
        What to evaluate next of it.
    level : float
        Level of the standings' intervals.

    Returns
    -------
    KeyNumbers
        Its document also holds ``family``, ``standings``, ``forecast`` (model by model, median and
        interval of each benchmark), ``plans`` and ``evaluations`` (the benchmarks in their order).
    """
    places = family_places(fit, family, level)
    highlights = {f"standing in {skill}": round(float(places["standing"][skill]), 2)
                  for skill in fit.skills}  # fmt: skip
    columns = ["median", "lower", "upper"]
    models = forecast.table.set_index("benchmark").groupby("model", sort=False)
    more = {
        "family": family,
        "level": level,
        "standings": places,
        "forecast": {str(name): table[columns] for name, table in models},
        "intervals": forecast.intervals,
        "plans": [plan_document(plan) for plan in plans.plans],
        "evaluations": {"model": evaluations.model, "order": list(evaluations.table["benchmark"])},
    }
    rows = [("family", family), *((name, f"{value:+.2f}") for name, value in highlights.items())]
    short = plans.highlights()
    return document_of(fit, more, highlights=highlights | short, rows=[*rows, *short.items()])


def document_of(
    fit: Fit,
    more: Mapping[str, Any],
    *,
    highlights: Mapping[str, Any],
    rows: Sequence[tuple[str, str]] = (),
) -> KeyNumbers:
    """Return a report's key numbers: those of its fit, and more.

    Parameters
    ----------
    fit : Fit
        The fit that was interpreted.
    more : mapping
        What else the document holds; tables become nested mappings.
    highlights : mapping
        Short labels, each with a number or a short text.
    rows : sequence of (str, str)
        What else the table says.

    Returns
    -------
    KeyNumbers
    """
    versions = installed_versions()
    document = {"versions": versions, **more, "fit": fit_document(fit), "highlights": highlights}
    said = (*_fit_rows(fit), *rows)
    told = ("versions", ", ".join(f"{name} {number}" for name, number in versions.items()))
    return KeyNumbers(plain(document), (*said, told))


def _fit_rows(fit: Fit) -> list[tuple[str, str]]:
    """Return how a fit was made, in words."""
    return [
        ("data", f"sha256 {fit.panel.digest}"),
        ("scores in the fit", f"{fit.n_scores:,}"),
        ("models in the fit", f"{fit.n_models:,} in {count(fit.n_families, 'family')}"),
        ("models left out", f"{len(fit.dropped):,}"),
        ("method", f"{fit.method}, seed {fit.seed}"),
        ("anchors", ", ".join(f"{skill}: {name}" for skill, name in fit.anchors.items())),
        ("log-likelihood", f"{fit.loglik:,.1f} with {fit.n_params} parameters"),
        ("converged", f"{'yes' if fit.converged else 'NO'} ({fit.message})"),
    ]


def report_panel(data: str = "", *, fit: str = "", **opening: Any) -> Panel:
    """Return the table a report is about.

    Parameters
    ----------
    data : str
        A file, or empty: the fit's own table if there is a fit, the embedded leaderboard if not.
    fit : str
        A file that ``fit.save`` wrote, or empty.
    **opening
        Settings of :func:`lvkit.data.read.open_panel`.

    Returns
    -------
    Panel

    Raises
    ------
    LvkitError
        If the file or the fit cannot be read, and if the fit was made from another table.
    """
    if not fit:
        return open_panel(data, **opening)
    fitted = load_fit(fit).panel
    if data and open_panel(data, **opening) != fitted:
        raise LvkitError(
            f"the table '{data}' is not the one the fit was made from",
            where=f"'{fit}'",
            expected="a fit of this table, read with these settings",
            remedy="Leave out one of the two, or fit again.",
        )
    return fitted


def report_fit(
    panel: Panel, model: LatentSkillModel, *, fit: str = "", cache: str = "", seed: int = 0
) -> Fit:
    """Return the fit a report reads.

    Parameters
    ----------
    panel : Panel
        The table.
    model : LatentSkillModel
        Settings, its number of skills among them; they do not count if there is a fit.
    fit : str
        A file that ``fit.save`` wrote, or empty.
    cache : str
        Folder of the fits that reports share; empty for none.
    seed : int
        Seed of the fit.

    Returns
    -------
    Fit
        As it was saved, its calibration included; or fitted, and read through the anchors of
        :func:`read_through`.
    """
    if fit:
        return load_fit(fit)
    if model.family_slopes is not None and model.anchors is None:
        plain = report_fit(panel, replace(model, family_slopes=None), cache=cache, seed=seed)
        model = replace(model, anchors=plain.anchors, n_skills=None)
    return read_through(FitCache(cache).fit(model, panel, seed=seed))


def read_through(fit: Fit) -> Fit:
    """Return a fit read through the anchors of arXiv:2512.06553, where that is possible.

    The likelihood is the same. A fit stays as it is if the user chose its anchors, if it has other
    than four skills, or if the four benchmarks are not among its own or do not span its skills.
    """
    chosen = fit.model.anchors is not None
    if (
        chosen
        or len(fit.skills) != len(PAPER_ANCHORS)
        or not {*PAPER_ANCHORS.values()} <= {*fit.benchmarks}
    ):
        return fit
    try:
        return fit.reanchor(PAPER_ANCHORS)
    except LvkitError:
        return fit
