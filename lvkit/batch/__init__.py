"""Batches: many reports from one command.

A batch runs one notebook (``source``) for each point of a grid (``grid``, ``planfile``), after all
values have been held against the notebook's parameters (``parameters``) and the data
(``preflight``). Every run is a job (``job``) for a kernel of its own, here or on a cluster
(``pool``); what comes back is stored whole or not at all (``store``), with a hash of what it was
made from (``content``), so that a batch that was stopped goes on where it was. The index and the
manifest (``index``) say what there is.
"""

from __future__ import annotations

from lvkit.batch.reports import run_reports
from lvkit.batch.results import Batch, Run

__all__ = ["Batch", "Run", "run_reports"]
