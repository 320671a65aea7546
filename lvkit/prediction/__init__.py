"""Scores of models that have not been evaluated.

``request`` checks which models are asked for, ``extrapolation`` how far they lie outside the data;
``distribution`` draws their scores, and ``predict`` makes tables and intervals. ``calibration``
learns the width of intervals from held-out ``folds``.
"""
