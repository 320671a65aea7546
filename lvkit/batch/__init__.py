"""Batches: one report, or many from one command.

A specification (``spec``: a plan file, a command line or Python) names a notebook (``notebook``)
and the values of its parameters; every point of its grid is a run (``grid``). Before anything
starts, all values are checked against the notebook and the data (``preflight``). The ``runner``
then makes each run (``run``) in a kernel of its own (``kernel``), here or on a cluster, and turns
it into a page (``page``). A run is stored whole or not at all (``store``; ``report_folder`` for a
single report), with a hash of what it was made from, so that a batch that was stopped goes on where
it was. The ``index`` lists all runs. ``reports`` has the functions that users call.
"""

from __future__ import annotations

from lvkit.batch.index import Batch
from lvkit.batch.reports import ReportPaths, run_report, run_reports
from lvkit.batch.run import Run

__all__ = ["Batch", "ReportPaths", "Run", "run_report", "run_reports"]
