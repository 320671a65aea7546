"""Fits in files: one zip archive with a JSON text and arrays, and nothing that can run.

The archive holds ``fit.json`` (schema number, settings, names, tables) and ``arrays.npz`` (numbers
as they are in memory, read with ``allow_pickle=False``). The features are learned again from the
saved panel when a fit is read, so no state of another library is stored.

The cache of :mod:`lvkit.cache` keeps fits in the same form, without the panel, which its reader
has, but with the curvature, which takes long to measure.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.calibration import RECORD, Calibration
from lvkit.errors import LvkitError
from lvkit.files import write_whole
from lvkit.inference import Curvature, objective_of
from lvkit.model import LatentSkillModel
from lvkit.panel import Panel
from lvkit.parameters import check_anchors
from lvkit.preparation import prepare
from lvkit.results import Fit
from lvkit.structure import Frame, read_only

__all__ = [
    "SCHEMA",
    "load_fit",
    "packed_fit",
    "save_fit",
    "table_from_json",
    "table_to_json",
    "unpacked_fit",
]

SCHEMA = 1
"""Number of the file's layout; raised whenever an older lvkit could not read the newer file."""

_FRAME = ("loadings", "factor", "slopes", "intercepts", "log_precisions", "floors")
_CURVATURE = ("vector", "information", "complete", "scores")
_PLAIN = ("anchors", "loglik", "n_params", "converged", "message", "method", "seed")


def save_fit(fit: Fit, path: str | Path) -> None:
    """Save a fit to one file, whole or not at all; see :meth:`lvkit.results.Fit.save`."""
    write_whole(path, packed_fit(fit))


def packed_fit(fit: Fit, *, cached: bool = False) -> bytes:
    """Return the content of a fit's file.

    Parameters
    ----------
    fit : Fit
        The fit.
    cached : bool
        For a reader who has the panel: leaves it out, and takes the curvature along if it was
        measured.
    """
    import lvkit

    settings = asdict(fit.model)
    text = {
        "schema": SCHEMA,
        "lvkit": lvkit.__version__,
        "model": {**settings, "anchors": fit.model.anchors and dict(fit.model.anchors)},
        **{name: getattr(fit, name) for name in _PLAIN},
        "starts": table_to_json(fit.starts),
        "trace": table_to_json(fit.trace),
        "calibration": fit.calibration and table_to_json(fit.calibration.records),
        "panel": None if cached else _panel_to_json(fit.panel),
        "digest": fit.panel.digest,
    }
    arrays = {name: getattr(fit.frame, name) for name in _FRAME}
    arrays["latent_means"] = fit.latent_means
    arrays["latent_covariances"] = fit.latent_covariances
    if cached and "curvature" in vars(fit):
        arrays |= {f"curvature_{name}": getattr(fit.curvature, name) for name in _CURVATURE}
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("fit.json", json.dumps(text, allow_nan=True))
        file.writestr("arrays.npz", packed.getvalue())
    return archive.getvalue()


def load_fit(path: str | Path) -> Fit:
    """Read a fit that was saved with :meth:`lvkit.results.Fit.save`.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Fit

    Raises
    ------
    LvkitError
        If the file is missing, truncated, damaged, no lvkit fit, or of a newer schema.
    """
    return _fit(Path(path), path, None)


def unpacked_fit(content: bytes, where: str, panel: Panel) -> Fit:
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
    return _fit(io.BytesIO(content), where, panel)


def _fit(source: Path | io.BytesIO, path: str | Path, panel: Panel | None) -> Fit:
    """Read, rebuild and check; `path` is what errors call the source."""
    text, arrays = _read(source, path)
    schema = text.get("schema")
    if schema != SCHEMA:
        raise LvkitError(
            f"saw schema {schema!r}, written by lvkit {text.get('lvkit', 'of unknown version')}",
            where=f"'{path}'",
            expected=f"schema {SCHEMA}",
            remedy="Read it with that version of lvkit, or a newer one, or fit again.",
        )
    try:
        fit = _rebuild(text, arrays, panel)
        _check(fit)
        _recall_curvature(fit, arrays)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _damaged(path, f"its content does not hang together ({error})") from error
    return fit


def _read(
    source: Path | io.BytesIO, path: str | Path
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return the two members of the archive."""
    try:
        with zipfile.ZipFile(source) as file:
            text = json.loads(file.read("fit.json"))
            with np.load(io.BytesIO(file.read("arrays.npz")), allow_pickle=False) as packed:
                arrays = {name: packed[name] for name in packed.files}
    except FileNotFoundError as error:
        raise LvkitError("no such file", where=f"'{path}'", remedy="Check the path.") from error
    except OSError as error:
        raise LvkitError(f"cannot be read ({error.strerror})", where=f"'{path}'") from error
    except (zipfile.BadZipFile, zlib.error, RuntimeError, KeyError, ValueError, EOFError) as error:
        raise _damaged(path, "truncated, damaged or no lvkit fit") from error
    if not isinstance(text, dict):
        raise _damaged(path, "no lvkit fit")
    return text, arrays


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


def _rebuild(text: dict[str, Any], arrays: dict[str, npt.NDArray[Any]], panel: Panel | None) -> Fit:
    if panel is None:
        tables = {name: table_from_json(table) for name, table in text["panel"].items()}
        panel = Panel._of(tables["scores"], tables["models"], tables["benchmarks"])
    if panel.digest != text["digest"]:
        raise ValueError("the panel does not match its checksum")
    model = LatentSkillModel(**text["model"])
    prepared = prepare(panel, model.features, clip=model.clip, random_slope=model.family_slopes)
    return Fit(
        model=model,
        panel=panel,
        starts=table_from_json(text["starts"]),
        trace=table_from_json(text["trace"]),
        calibration=_calibration(text.get("calibration")),
        frame=Frame(**{name: arrays[name] for name in _FRAME}).read_only(),
        prepared=prepared,
        latent_means=read_only(arrays["latent_means"]),
        latent_covariances=read_only(arrays["latent_covariances"]),
        **{name: text[name] for name in _PLAIN},
    )


def _calibration(records: dict[str, Any] | None) -> Calibration | None:
    if records is None:
        return None
    table = table_from_json(records)
    numbers = table[["keep", "z", "own", "distance"]]
    if tuple(table.columns) != RECORD or not (numbers.dtypes.map(lambda t: t.kind in "if")).all():
        raise ValueError(f"calibration: columns {', '.join(map(str, table.columns))}")
    return Calibration(table)


def _check(fit: Fit) -> None:
    """Refuse arrays and numbers that cannot be those of a fit to the saved panel."""
    table, n_skills = fit.prepared.table, len(fit.anchors)
    check_anchors(fit.anchors, fit.benchmarks)
    m, q = table.design.shape[1], n_skills * table.design.shape[1]
    expected = {
        "loadings": (table.n_benchmarks, n_skills),
        "factor": (m, n_skills, q),
        "slopes": (n_skills, table.features.shape[1]),
        "intercepts": (table.n_benchmarks,),
        "log_precisions": (table.n_benchmarks,),
        "floors": (table.n_benchmarks,),
    }
    arrays = {name: getattr(fit.frame, name) for name in expected}
    expected |= {"latent_means": (table.n_families, q)}
    expected |= {"latent_covariances": (table.n_families, q, q)}
    arrays |= {name: getattr(fit, name) for name in ("latent_means", "latent_covariances")}
    for name, array in arrays.items():
        if array.shape != expected[name] or array.dtype != float or not np.isfinite(array).all():
            raise ValueError(f"{name}: {array.dtype} of shape {array.shape}")
    if not (isinstance(fit.loglik, float) and np.isfinite(fit.loglik)):
        raise ValueError(f"loglik: {fit.loglik!r}")
    if not isinstance(fit.converged, bool) or not isinstance(fit.n_params, int):
        raise ValueError(f"converged: {fit.converged!r}, n_params: {fit.n_params!r}")


def _recall_curvature(fit: Fit, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Give a fit the curvature that was measured before, if it was."""
    if "curvature_vector" not in arrays:
        return
    found = {name: arrays[f"curvature_{name}"] for name in _CURVATURE}
    n = fit.n_params
    expected = dict(zip(_CURVATURE, [(n,), (n, n), (n, n), (fit.n_families, n)], strict=True))
    for name, array in found.items():
        if array.shape != expected[name] or array.dtype != float or not np.isfinite(array).all():
            raise ValueError(f"curvature_{name}: {array.dtype} of shape {array.shape}")
    curvature = Curvature(fit, objective_of(fit).chart, free=fit.free_parameters, **found)
    vars(fit).update(curvature=curvature, _measured=curvature)


def table_to_json(table: pd.DataFrame) -> dict[str, Any]:
    """Return a DataFrame as plain lists, with the types of its columns, for JSON."""
    return {
        "index": table.index.tolist(),
        "index_name": table.index.name,
        "columns_name": table.columns.name,
        "columns": [
            {"name": name, "dtype": str(column.dtype), "values": _plain(column)}
            for name, column in table.items()
        ],
    }


def _plain(column: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else value for value in column.tolist()]


def table_from_json(table: dict[str, Any]) -> pd.DataFrame:
    """Return the table of :func:`table_to_json`."""
    index = pd.Index(table["index"], name=table["index_name"])
    columns = {}
    for column in table["columns"]:
        values, dtype = column["values"], column["dtype"]
        if dtype.startswith("float"):
            values = [np.nan if value is None else value for value in values]
        columns[column["name"]] = pd.Series(values, index=index, dtype=dtype)
    frame = pd.DataFrame(columns, index=index)
    frame.columns.name = table["columns_name"]
    return frame
