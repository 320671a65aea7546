"""The anchors of the paper."""

from __future__ import annotations

# The benchmarks by which arXiv:2512.06553 names its four skills.
PAPER_ANCHORS = {
    "mathematics": "math_lvl5",
    "instruction": "ifeval",
    "commonsense": "hellaswag",
    "reasoning": "bbh",
}
