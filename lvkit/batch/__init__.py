"""Batches: one report, or many from one command.

``reports`` has the functions that users call. A specification (``spec``: a plan file, a command
line or Python) names a notebook (``notebook``) and the values of its parameters, which are checked
against the notebook; every point of their grid is a run (``grid``). Before anything starts, all
values are checked against the data (``preflight``). Then ``all_runs`` makes the runs, here or on a
cluster: ``one_run`` in a kernel of its own (``kernel``), whose result becomes a page (``page``,
with the ``content_policy``). A run is stored whole or not at all (``store``; ``report_folder`` for
a single report), with a hash of what it was made from, so that a batch that was stopped goes on
where it was. The ``index`` lists all runs.
"""

from __future__ import annotations

from lvkit.batch.index import Batch
from lvkit.batch.one_run import Run
from lvkit.batch.reports import ReportPaths, run_report, run_reports

__all__ = ["Batch", "ReportPaths", "Run", "run_report", "run_reports"]
