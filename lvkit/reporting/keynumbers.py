"""Key numbers: what a report found, for a program, and how it was computed, for a reader.

The steps of a report that are more than one call of the library live here too, so that the notebook
behind it computes nothing itself and a user's own notebook can take the same steps.
"""

from __future__ import annotations

import html
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from lvkit.documents import fit_document, plain
from lvkit.errors import LvkitError
from lvkit.facts import PAPER_ANCHORS

if TYPE_CHECKING:
    from lvkit.results import Fit
    from lvkit.select import Selection

__all__ = ["MIME", "KeyNumbers", "interpreted", "key_numbers"]

MIME = "application/vnd.lvkit.key-numbers+json"


def interpreted(selection: Selection, n_skills: int, *, family_slopes: str | None = None) -> Fit:
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

    Returns
    -------
    Fit
        With the anchors the user chose; with four skills and the benchmarks that arXiv:2512.06553
        anchors them to, re-anchored to these; otherwise with the anchors that lvkit chose. The
        likelihood is the same, unless there are family slopes.
    """
    fit = _read_through(selection.fits[n_skills])
    if not family_slopes:
        return fit
    model = replace(fit.model, anchors=fit.anchors, n_skills=None, family_slopes=family_slopes)
    return model.fit(fit.panel, seed=fit.seed)


def _read_through(fit: Fit) -> Fit:
    """Return a fit read through the paper's anchors, unless the user chose some."""
    chosen = fit.model.anchors is not None
    if (
        chosen
        or len(fit.skills) != len(PAPER_ANCHORS)
        or not {*PAPER_ANCHORS.values()} <= {*fit.benchmarks}
    ):
        return fit
    try:
        return fit.reanchor(PAPER_ANCHORS)
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
