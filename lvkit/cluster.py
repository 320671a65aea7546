"""Computation on the workers of a Dask cluster.

Work that lvkit spreads over workers goes through joblib, and joblib can hand it to Dask. So there
is nothing to learn here but one ``with`` block; what stands inside it computes on the cluster, with
the numbers it would have had at home. That asks for the same lvkit on both sides, which is looked
at before anything is sent.
"""

from __future__ import annotations

import socket
import warnings
from collections.abc import Generator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from lvkit._version import __version__
from lvkit.errors import LvkitError, LvkitWarning

_PATIENCE = 5
"""Seconds to wait for a scheduler, and then for a first worker."""


@contextmanager
def dask_cluster(address: str) -> Generator[None, None, None]:
    """Compute on a Dask cluster whatever is spread over workers inside the ``with`` block.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``"tcp://10.0.0.1:8786"``.

    Raises
    ------
    LvkitError
        If ``distributed`` is not installed, the scheduler does not answer, it has no worker within
        seconds, its workers have no lvkit or another version of it, or it is lost on the way.

    Warns
    -----
    LvkitWarning
        If workers have other versions of numpy or scipy: numbers may differ in their last digits.

    Notes
    -----
    One worker means in place, here too: give ``n_jobs=-1``, or None, to what shall be spread. How
    many tasks run at once is the cluster's affair. Workers that join later are not looked at.

    Whoever reaches a Dask cluster can run any code on it: keep it inside your own network, or have
    it ask for certificates.

    Examples
    --------
    >>> import lvkit as lv
    >>> with dask_cluster("tcp://10.0.0.1:8786"):  # doctest: +SKIP
    ...     test = lv.backtest(panel, model, n_jobs=-1)
    """
    client = _client(address)
    try:
        _check_workers(client, address)
        from joblib import parallel_config

        with telling_losses(address), parallel_config(backend="dask", client=client, n_jobs=-1):
            yield
    finally:
        client.close(timeout=_PATIENCE)


@contextmanager
def telling_losses(address: str) -> Generator[None, None, None]:
    """Tell in plain words that a cluster was lost inside the ``with`` block.

    Parameters
    ----------
    address : str
        Of the scheduler.

    Raises
    ------
    LvkitError
        If work that was sent to the cluster is lost.
    """
    try:
        yield
    except CancelledError as error:
        raise LvkitError(
            f"the cluster was lost while it computed ({error})",
            where=f"'{address}'",
            remedy="See what became of its scheduler and workers, then compute again.",
        ) from error


def _client(address: str) -> Any:
    """Return a client that has reached the scheduler."""
    try:
        from distributed import Client
    except ImportError as error:
        raise LvkitError(
            f"a Dask cluster needs the package '{error.name}', which is not installed",
            where="dask_cluster",
            remedy="Install it with: pip install 'lvkit[dask]'",
        ) from error
    if not isinstance(address, str) or not address.strip():
        raise LvkitError(
            f"got {address!r}",
            where="dask_cluster",
            expected="the address of a scheduler, such as 'tcp://10.0.0.1:8786'",
        )
    address = address if "://" in address else f"tcp://{address}"
    try:
        _knock(address)
        return Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise LvkitError(
            f"no scheduler of Dask answers ({error})",
            where=f"'{address}'",
            expected="an address such as 'tcp://10.0.0.1:8786', as the scheduler prints it",
            remedy="Start one with 'dask scheduler', and workers with 'dask worker ADDRESS'.",
        ) from error


def _knock(address: str) -> None:
    """Raise OSError where nobody listens, or somebody who does not speak first as Dask does.

    Dask's client waits for such a one without end, and leaves threads behind.
    """
    from distributed.comm import get_address_host_port

    host, port = get_address_host_port(address, strict=True)
    with socket.create_connection((host, port), timeout=_PATIENCE) as line:
        if not address.startswith("tls:") and not line.recv(1):
            raise ConnectionError("it hung up")


def _check_workers(client: Any, address: str) -> None:
    """Refuse a cluster without workers, or with another lvkit; warn of other numerics."""
    from distributed import TimeoutError as DaskTimeoutError

    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
        there = client.run(_versions)
    except (TimeoutError, DaskTimeoutError) as error:
        raise LvkitError(
            f"no worker within {_PATIENCE} seconds",
            where=f"'{address}'",
            remedy=f"Start some: 'dask worker {address}'.",
        ) from error
    except Exception as error:  # whatever fails on a worker arrives here as it was raised there
        raise LvkitError(
            f"its workers cannot load lvkit ({type(error).__name__}: {error})",
            where=f"'{address}'",
            remedy="Install the same lvkit on every worker: pip install 'lvkit[dask]'.",
        ) from error
    here = _versions()
    pairs = {pair for versions in there.values() for pair in versions.items()}
    other_lvkit = sorted({version for name, version in pairs if name == "lvkit"} - {here["lvkit"]})
    if other_lvkit:
        raise LvkitError(
            f"workers have lvkit {', '.join(other_lvkit)}",
            where=f"'{address}'",
            expected=f"lvkit {here['lvkit']}, as here",
            remedy="Install the same version everywhere.",
        )
    others = sorted({name for name, version in pairs if version != here[name]})
    if others:
        warnings.warn(
            f"workers of '{address}' have other versions of {' and '.join(others)}: numbers may "
            "differ from those computed here in their last digits",
            LvkitWarning,
            stacklevel=4,  # the line with the `with` block
        )


def _versions() -> dict[str, str]:
    """Return the versions that numbers depend on, by package."""
    import numpy as np
    import scipy

    return {"lvkit": __version__, "numpy": np.__version__, "scipy": scipy.__version__}
