"""Scores of models that have not been evaluated: distributions, intervals, calibration."""
