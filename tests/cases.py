"""Small cases that several tests of the core share."""

from __future__ import annotations

from typing import Any

import numpy as np

from lvkit.model.score_table import Coefficients, ScoreTable

CLIP = 0.0025


def make_case(*, m: int = 1, q: int = 2, floor: float = 0.1, seed: int = 0) -> Any:
    """A small table with gaps, and coefficients for it."""
    rng = np.random.default_rng(seed)
    n_models, n_benchmarks, p = 13, 3, 2
    family = np.repeat([0, 1, 2, 3], [4, 1, 5, 3])
    features = rng.normal(size=(n_models, p))
    design = np.column_stack([np.ones(n_models), features[:, : m - 1]])
    scores = rng.uniform(0.15, 0.9, (n_models, n_benchmarks))
    scores[rng.random(scores.shape) < 0.2] = np.nan
    scores[:, 0] = np.where(np.isnan(scores).all(axis=1), 0.4, scores[:, 0])
    coefficients = Coefficients(
        latent=rng.normal(0.0, 0.6, (m, n_benchmarks, q)),
        feature=rng.normal(0.0, 0.4, (n_benchmarks, p)),
        intercept=rng.normal(0.0, 0.3, n_benchmarks),
        log_precision=rng.normal(2.0, 0.3, n_benchmarks),
        floor=np.full(n_benchmarks, floor),
    )
    return ScoreTable.build(scores, family, features, design, CLIP), coefficients, scores
