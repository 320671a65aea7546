"""Saved fits: one zip archive of JSON and arrays, which cannot run code.

The archive holds ``fit.json`` (schema number, settings, names, tables), ``arrays.npz`` (numbers as
they are in memory, read without pickle) and ``sha256.txt`` (checksums of both). The features are
learned again from the saved panel when a fit is read, so no state of another library is stored.

A file is not trusted. :mod:`lvkit.tools.archive` bounds what it may take in memory,
:mod:`lvkit.fit.saved_fit_fields` declares what each field may be, and the parts must agree with
each other. The checksums are a safeguard against accidents, not against attackers.

The cache of :mod:`lvkit.fit.cache` keeps fits in the same form, without the panel, which its reader
has, but with the curvature, which takes long to measure.
"""

from __future__ import annotations

import io
import json
import reprlib
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lvkit._version import __version__
from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, LvkitWarning
from lvkit.estimation.fitted import Fitted
from lvkit.estimation.settings import Settings
from lvkit.estimation.standard_errors import Curvature, curvature_of, objective_of
from lvkit.fit.saved_fit_fields import FIT, check_agreement, check_shapes
from lvkit.model.coordinates import Frame, read_only
from lvkit.model.prepared import prepare
from lvkit.prediction.calibration import Calibration
from lvkit.tools.archive import pack, pack_arrays, parse_json, unpack, unpack_arrays
from lvkit.tools.files import write_whole
from lvkit.tools.json_tables import table_from_json, table_to_json
from lvkit.tools.outputs import check_output, is_saved_fit

Array = npt.NDArray[np.float64]

SCHEMA = 2
"""Number of the file's layout; raised whenever an older lvkit could not read the newer file."""

_WITHOUT_CHECKSUM = 1
"""The schema of files without checksums, which are read with a warning."""

_TEXT, _NUMBERS = "fit.json", "arrays.npz"
_FRAME = ("loadings", "factor", "slopes", "intercepts", "log_precisions", "floors")
_CURVATURE = ("vector", "information", "complete", "scores")
_PLAIN = ("anchors", "loglik", "n_params", "converged", "message", "method", "seed")
_WRONG = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What contents that do not agree may raise in the code that puts them together."""


def save_fit(fit: Fitted, path: str | Path, calibration: Calibration | None = None) -> None:
    """Save a fit to one file, whole or not at all; see :meth:`lvkit.Fit.save`."""
    check_output(path, kind="a saved fit", ours=is_saved_fit)
    write_whole(path, packed_fit(fit, calibration))


def packed_fit(
    fit: Fitted, calibration: Calibration | None = None, *, cached: bool = False
) -> bytes:
    """Return the content of a fit's file.

    Parameters
    ----------
    fit : Fitted
        The fit.
    calibration : Calibration, optional
        What is known of its predictions.
    cached : bool
        For a reader who has the panel: leaves it out, and takes the curvature along if it was
        measured.
    """
    settings = asdict(fit.model)
    text = {
        "schema": SCHEMA,
        "lvkit": __version__,
        "model": {**settings, "anchors": fit.model.anchors and dict(fit.model.anchors)},
        **{name: getattr(fit, name) for name in _PLAIN},
        "starts": table_to_json(fit.starts),
        "trace": table_to_json(fit.trace),
        "calibration": calibration and table_to_json(calibration.records),
        "panel": None if cached else _panel_to_json(fit.panel),
        "digest": fit.panel.digest,
    }
    arrays = {name: getattr(fit.frame, name) for name in _FRAME}
    arrays["latent_means"] = fit.latent_means
    arrays["latent_covariances"] = fit.latent_covariances
    if cached and "curvature" in fit.memo:
        curvature = curvature_of(fit)
        arrays |= {f"curvature_{name}": getattr(curvature, name) for name in _CURVATURE}
    content = json.dumps(text, allow_nan=True).encode()
    return pack({_TEXT: content, _NUMBERS: pack_arrays(arrays)})


def read_fit(path: str | Path) -> tuple[Fitted, Calibration | None]:
    """Read a file and check it; see :func:`lvkit.load_fit`."""
    try:
        with open(path, "rb") as file:
            fit, calibration, schema = _fit(file, path, None)
    except FileNotFoundError as error:
        raise LvkitError("no such file", where=f"'{path}'", remedy="Check the path.") from error
    except OSError as error:
        seen = f"cannot be read ({error.strerror or error})"
        raise LvkitError(seen, where=f"'{path}'") from error
    except (ValueError, TypeError) as error:  # a path that no file can have
        if isinstance(error, LvkitError):
            raise
        raise LvkitError(f"got {str(path)!r} ({error})", expected="the path of a file") from error
    if schema == _WITHOUT_CHECKSUM:
        warnings.warn(
            f"'{path}' was saved by an earlier version of lvkit, without a checksum. To add one, "
            "save the fit again.",
            LvkitWarning,
            stacklevel=3,  # the line that loads it
        )
    return fit, calibration


def unpacked_fit(content: bytes, where: str, panel: Panel) -> Fitted:
    """Return the fit to a panel from what :func:`packed_fit` made of it for a cache.

    Parameters
    ----------
    content : bytes
        The content.
    where : str
        What to call it in errors.
    panel : Panel
        The data that were fitted.

    Raises
    ------
    LvkitError
        If the content is damaged, of another schema, or of a fit to other data.
    """
    fit, _, schema = _fit(io.BytesIO(content), where, panel)
    if schema != SCHEMA:
        raise _damaged(where, "it has no checksum")
    return fit


def _fit(
    file: IO[bytes], path: str | Path, panel: Panel | None
) -> tuple[Fitted, Calibration | None, int]:
    """Read, check and rebuild a fit, its calibration and its schema; errors name `path`."""
    with _refusing(path):
        size = file.seek(0, io.SEEK_END)
        members, sealed = unpack(file, "fit[.]json|arrays[.]npz")
        if lacking := {_TEXT, _NUMBERS} - members.keys():
            raise ValueError(f"it lacks {' and '.join(sorted(lacking))}")
        text = parse_json(members[_TEXT], size)
    schema = _known_schema(text, path)
    with _refusing(path):
        if sealed != (schema != _WITHOUT_CHECKSUM):
            raise ValueError("its checksum is missing, or does not belong to its schema")
        FIT.check(text, "the text")
        if (text["panel"] is None) != (panel is not None):
            raise ValueError("a saved fit holds its panel, one in a cache does not")
        data = _panel_from_json(text["panel"]) if panel is None else panel
        if data.digest != text["digest"]:
            raise ValueError("the panel does not match its checksum")
        sizes = _sizes(text, data)
        arrays = unpack_arrays(members[_NUMBERS], size, lambda found: check_shapes(found, sizes))
        fit, records = _rebuild(text, arrays, data), text.get("calibration")
        calibration = None if records is None else Calibration(table_from_json(records))
        check_agreement(fit, calibration)
        _recall_curvature(fit, arrays)
    return fit, calibration, schema


@contextmanager
def _refusing(path: str | Path) -> Generator[None, None, None]:
    """Turn whatever a content makes the code raise into an error that names the file."""
    try:
        yield
    except MemoryError as error:
        raise _damaged(path, "reading it takes more memory than there is") from error
    except _WRONG as error:
        reason = str(error).rstrip(".") or type(error).__name__
        seen = f"not a valid lvkit fit file: truncated, corrupt or of another kind ({reason})"
        raise _damaged(path, seen) from error


def _known_schema(text: dict[str, Any], path: str | Path) -> int:
    """Return the schema of a text; refuse one that this version does not know."""
    schema = text.get("schema")
    if type(schema) is int and schema in (SCHEMA, _WITHOUT_CHECKSUM):
        return schema
    writer = reprlib.repr(text.get("lvkit", "of unknown version")).strip("'")
    raise LvkitError(
        f"got schema {reprlib.repr(schema)}, written by lvkit {writer}",
        where=f"'{path}'",
        expected=f"schema {SCHEMA}",
        remedy="Read it with that version of lvkit, or a newer one, or fit again.",
    )


def _damaged(path: str | Path, seen: str) -> LvkitError:
    return LvkitError(
        seen,
        where=f"'{path}'",
        expected="a file written by fit.save",
        remedy="Save the fit again, or fetch the file again.",
    )


def _panel_to_json(panel: Panel) -> dict[str, Any]:
    tables = ("scores", "models", "benchmarks")
    return {name: table_to_json(getattr(panel, name)) for name in tables}


def _panel_from_json(tables: dict[str, Any]) -> Panel:
    """Return the panel of three tables, each of which has been checked alone."""
    names, benchmarks = tables["models"]["index"], tables["benchmarks"]["index"]
    if not (names and benchmarks) or tables["scores"]["index"] != names:
        raise ValueError("panel: its tables are of different models")
    if [column["name"] for column in tables["scores"]["columns"]] != benchmarks:
        raise ValueError("panel: its tables are of different benchmarks")
    scores, models, about = (
        table_from_json(tables[name]) for name in ("scores", "models", "benchmarks")
    )
    if models.groupby("family")["lineage"].nunique().gt(1).any():
        raise ValueError("panel: a family has two lineages")
    return Panel._of(scores, models, about)


def _sizes(text: dict[str, Any], panel: Panel) -> dict[str, range]:
    """Return which sizes the arrays of a fit may have, before its features are known."""
    k, n = len(text["anchors"]), text["n_params"]
    return {
        "J": range(1, panel.n_benchmarks + 1),
        "K": range(k, k + 1),
        "L": range(1, panel.n_families + 1),
        "m": range(1, 3),
        "n": range(n, n + 1),
    }


def _rebuild(text: dict[str, Any], arrays: dict[str, Array], panel: Panel) -> Fitted:
    model = Settings(**text["model"])
    return Fitted(
        model=model,
        panel=panel,
        starts=table_from_json(text["starts"]),
        trace=table_from_json(text["trace"]),
        frame=Frame(**{name: arrays[name] for name in _FRAME}).read_only(),
        prepared=prepare(panel, model.features, clip=model.clip, random_slope=model.family_slopes),
        latent_means=read_only(arrays["latent_means"]),
        latent_covariances=read_only(arrays["latent_covariances"]),
        **{name: text[name] for name in _PLAIN},
    )


def _recall_curvature(fit: Fitted, arrays: dict[str, Array]) -> None:
    """Give a fit the curvature that was measured before, if it was."""
    if "curvature_vector" not in arrays:
        return
    measured = {name: arrays[f"curvature_{name}"] for name in _CURVATURE}
    if len(measured["scores"]) != fit.n_families:
        raise ValueError(f"curvature_scores: its shape is {measured['scores'].shape}")
    chart = objective_of(fit).chart
    curvature = Curvature(fit, chart, free=fit.free_parameters, **measured)
    for kind in ("measured", "curvature"):  # its warnings have been given
        fit.memo.get(kind, lambda: curvature)
