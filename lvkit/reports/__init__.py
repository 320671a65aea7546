"""The sections of reports, which the notebooks show: tables, figures and sentences.

``summary``, ``family``, ``leaderboard``, ``heldout`` and ``plans`` are sections. ``key_numbers``
and ``as_json`` hold the same results for programs. :mod:`lvkit.batch` runs the notebooks.
"""
