"""Steps: how a report comes by its table and its fit.

A report reads a table and fits it, takes a fit that was made before, or looks into the cache that
reports of the same data and settings share. The notebooks call these functions, so that all of them
read the same settings in the same way, and compute nothing themselves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lvkit.data.read import open_panel
from lvkit.errors import LvkitError
from lvkit.estimation.settings import PAPER_ANCHORS
from lvkit.fit.cache import FitCache
from lvkit.fit.model import load_fit

if TYPE_CHECKING:
    from lvkit.data.panel import Panel
    from lvkit.fit.fit import Fit
    from lvkit.fit.model import LatentSkillModel


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
