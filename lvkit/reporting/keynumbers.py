"""Key numbers: what a report found, for a program, and how it was computed, for a reader.

The steps of a report that are more than one call of the library live here too, so that the notebook
behind it computes nothing itself and a user's own notebook can take the same steps.
"""

from __future__ import annotations

import html
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from lvkit.documents import fit_document, plain
from lvkit.errors import LvkitError


if TYPE_CHECKING:
    from lvkit.panel import Panel
    from lvkit.results import Fit
    from lvkit.select import Selection

__all__ = ["MIME", "KeyNumbers", "interpreted", "key_numbers", "open_panel", "skill_numbers"]

MIME = "application/vnd.lvkit.key-numbers+json"

# The benchmarks by which arXiv:2512.06553 names its four skills.
_PAPER_ANCHORS = {
    "mathematics": "math_lvl5",
    "instruction": "ifeval",
    "commonsense": "hellaswag",
    "reasoning": "bbh",
}


def open_panel(
    data: str | os.PathLike[str] = "",
    *,
    family: str | Mapping[str, str] = "",
    benchmarks: str | os.PathLike[str] | Mapping[str, float] = "",
) -> Panel:
    """Return the panel of a user's file or, without one, the embedded leaderboard.

    Parameters
    ----------
    data : path-like
        A table for :func:`lvkit.read_panel`; empty for the embedded one.
    family : str or mapping
        ``"from_name"``, a column, a CSV file with the columns model and family, or a mapping; empty
        for the column ``family``.
    benchmarks : path-like or mapping
        Benchmarks lvkit does not know: a CSV file with the columns benchmark and chance, or a
        mapping from one to the other; empty for none.

    Returns
    -------
    Panel

    Raises
    ------
    LvkitError
        If something is wrong with a file, or `family` or `benchmarks` speak of no file.

    Examples
    --------
    >>> open_panel().n_models
    197
    """
    from lvkit.data import load_leaderboard
    from lvkit.reading.readers import read_panel
    from lvkit.reading.sidecars import family_rule, read_benchmarks

    if not os.fspath(data):
        if family or benchmarks:
            raise LvkitError(
                "families or benchmarks are given, and no file that they speak of",
                remedy="Give the file, or leave them out.",
            )
        return load_leaderboard()
    rule = family_rule(family) if isinstance(family, str) else dict(family)
    known: Any = benchmarks or None
    if isinstance(benchmarks, str | os.PathLike) and known:
        known = read_benchmarks(benchmarks)
    return read_panel(data, family=rule or None, benchmarks=known)


def skill_numbers(panel: Panel, most: int) -> range:
    """Return the numbers of skills to compare: 1 to `most`, or to the number of benchmarks.

    Examples
    --------
    >>> skill_numbers(open_panel().select(benchmarks=["mmlu", "bbh"]), 7)
    range(1, 3)
    """
    return range(1, min(most, panel.n_benchmarks) + 1)


def interpreted(selection: Selection, n_skills: int) -> Fit:
    """Return the fit with `n_skills` skills, named as in the paper where that is possible.

    Parameters
    ----------
    selection : Selection
        What :func:`lvkit.select_skills` returned.
    n_skills : int
        Which of its fits.

    Returns
    -------
    Fit
        With four skills and the benchmarks that arXiv:2512.06553 anchors them to, re-anchored to
        these; otherwise with the anchors that lvkit chose. The likelihood is the same.
    """
    fit = selection.fits[n_skills]
    if n_skills != len(_PAPER_ANCHORS) or not set(_PAPER_ANCHORS.values()) <= set(fit.benchmarks):
        return fit
    try:
        return fit.reanchor(_PAPER_ANCHORS)
    except LvkitError:  # on these data the four do not span the skills
        return fit


@dataclass(frozen=True)
class KeyNumbers:
    """A report's key numbers; make them with :func:`key_numbers`.

    Shown as a small table in notebooks, which carries the document along for programs.

    Attributes
    ----------
    document : mapping
        In JSON's own types: ``versions``, ``selection`` (a row for each K), ``best`` (K by
        criterion) and ``fit``, as ``lvkit fit --json`` prints it.
    """

    document: Mapping[str, Any]

    def _rows(self) -> list[tuple[str, str]]:
        fit, best = self.document["fit"], self.document["best"]
        doubtful = [k for k, row in self.document["selection"].items() if not row["converged"]]
        return [
            ("data", f"sha256 {fit['panel']['digest']}"),
            ("scores in the fit", f"{fit['n_scores']:,}"),
            ("models in the fit", f"{fit['n_models']:,} in {fit['n_families']:,} families"),
            ("models left out", f"{len(fit['dropped']):,}"),
            ("method", f"{fit['method']}, seed {fit['seed']}"),
            ("anchors", ", ".join(f"{skill}: {name}" for skill, name in fit["anchors"].items())),
            ("log-likelihood", f"{fit['loglik']:,.1f} with {fit['n_params']} parameters"),
            ("lowest AIC, lowest BIC", f"K = {best['aic']}, K = {best['bic']}"),
            ("converged", f"{'yes' if fit['converged'] else 'NO'} ({fit['message']})"),
            ("not converged", f"K = {', '.join(doubtful)}" if doubtful else "none"),
            ("versions", ", ".join(f"{k} {v}" for k, v in self.document["versions"].items())),
        ]

    def __str__(self) -> str:
        return "\n".join(f"{what}: {value}" for what, value in self._rows())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        rows = "".join(
            f'<tr><th scope="row">{what}</th><td class="text">{html.escape(value)}</td></tr>'
            for what, value in self._rows()
        )
        table = f"<table><tbody>{rows}</tbody></table>"
        return {"text/plain": str(self), "text/html": table, MIME: dict(self.document)}


def key_numbers(selection: Selection, fit: Fit) -> KeyNumbers:
    """Return what was found and how it was computed.

    Parameters
    ----------
    selection : Selection
        The numbers of skills that were compared.
    fit : Fit
        The fit that was interpreted.

    Returns
    -------
    KeyNumbers
    """
    document = {
        "versions": _versions(),
        "selection": selection.table,
        "best": {name: selection.table[name].idxmin() for name in ("aic", "bic")},
        "fit": fit_document(fit),
    }
    return KeyNumbers(plain(document))


def _versions() -> dict[str, str]:
    """Return the versions of what the numbers depend on."""
    found = {"Python": platform.python_version()}
    for name in ("lvkit", "numpy", "scipy", "pandas", "formulaic"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # lvkit runs from a bare folder of sources
            found[name] = "not installed"
    return found
