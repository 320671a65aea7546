"""Valid but unusual tables on which every notebook must run.

``python tests/notebooks/tables.py`` runs every notebook on every table and prints what failed;
the test suite runs each notebook on one of them, so that together they cover all.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parents[2] / "notebooks"
BENCHMARKS = ("mmlu", "arc", "hellaswag", "gsm8k", "ifeval")
JAPANESE = {"mmlu": "知識", "arc": "翻訳", "hellaswag": "毒性", "gsm8k": "推論", "ifeval": "指示"}


def made_table(n_families: int = 10, sizes: tuple[float, ...] = (1, 3, 7, 34)) -> pd.DataFrame:
    """Scores of families with two skills that increase with size and tokens; a few are missing."""
    rng = np.random.default_rng(5)
    loadings = np.array([[1.0, 0.1], [0.8, 0.3], [0.9, 0.0], [0.2, 1.1], [0.0, 0.9]])
    rows = []
    for family in range(n_families):
        effect = rng.normal(0, 0.7, 2)
        first = rng.choice([0.3, 1.0, 2.0, 6.0])
        for at, size in enumerate(sizes):
            tokens = first * (1 + 0.5 * at * (family % 2))
            skills = effect + 1.1 * np.log10(size) + 0.6 * np.log10(tokens) - 0.8
            mean = 1 / (1 + np.exp(-(loadings @ skills + [0, 0.2, 0.6, -0.9, -0.4])))
            scores = rng.beta(60 * mean, 60 * (1 - mean)).round(4)
            row = {"model": f"f{family}-{size:g}b", "family": f"f{family}", "params_b": size}
            rows.append({**row, "tokens_t": tokens, **dict(zip(BENCHMARKS, scores, strict=True))})
    table = pd.DataFrame(rows)
    table.loc[rng.choice(len(table), 4, replace=False), "ifeval"] = np.nan
    return table


def one_model_per_family() -> pd.DataFrame:
    table = made_table(6)
    return table.assign(family=table["model"])


def one_token_count_per_family() -> pd.DataFrame:
    table = made_table()
    return table.assign(tokens_t=table.groupby("family")["tokens_t"].transform("first"))


def no_tokens() -> pd.DataFrame:
    return made_table().drop(columns="tokens_t")


def one_benchmark() -> pd.DataFrame:
    return made_table().drop(columns=["arc", "hellaswag", "gsm8k", "ifeval"])


def two_families() -> pd.DataFrame:
    return made_table(2, (0.5, 1, 3, 7, 14, 34))


def names_of_digits() -> pd.DataFrame:
    table = made_table()
    numbers = [str(1000 + at) for at in range(len(table))]
    return table.assign(model=numbers, family=table["family"].str.replace("f", "1."))


def japanese_names() -> pd.DataFrame:
    table = made_table().rename(columns=JAPANESE)
    return table.assign(
        model=[f"模型{at}" for at in range(len(table))],
        family=table["family"].str.replace("f", "系列"),
    )


TABLES: dict[str, tuple[Callable[[], pd.DataFrame], dict[str, Any]]] = {
    "one_model_per_family": (one_model_per_family, {"features": "log_params"}),
    "one_token_count_per_family": (one_token_count_per_family, {}),
    "no_tokens": (no_tokens, {"features": "log_params"}),
    "one_benchmark": (one_benchmark, {"n_skills": 1}),
    "two_families": (two_families, {"n_skills": 1, "features": "log_params"}),
    "one_skill": (made_table, {"n_skills": 1}),
    "names_of_digits": (names_of_digits, {}),
    "japanese_names": (japanese_names, {}),
}
"""The tables by name: how to make each, and the settings it needs."""


def notebooks() -> list[Path]:
    """Return the guided notebooks and the report templates."""
    return sorted(FOLDER.glob("*.ipynb"))


def run(notebook: Path, name: str, folder: Path) -> Any:
    """Execute a notebook on a table; return the executed notebook."""
    import papermill

    make, settings = TABLES[name]
    table = make()
    data = folder / "mine.csv"
    table.to_csv(data, index=False)
    wanted: dict[str, Any] = {"data": str(data), "n_skills": 2, "max_skills": 2} | settings
    chances = folder / "chances.csv"
    unknown = [column for column in table if column in JAPANESE.values()]
    if unknown:
        pd.DataFrame({"benchmark": unknown, "chance": 0.0}).to_csv(chances, index=False)
        wanted["benchmarks"] = str(chances)
    known = papermill.inspect_notebook(str(notebook))
    values = {key: value for key, value in wanted.items() if key in known}
    return papermill.execute_notebook(
        str(notebook),
        str(folder / "done.ipynb"),
        values,
        progress_bar=False,
        cwd=str(folder),
        execution_timeout=600,
    )


def main(wanted: list[str]) -> int:
    """Run every notebook on every table, or those that are named; return how many failed."""
    failures = 0
    for notebook in notebooks():
        for name in TABLES:
            if wanted and not {notebook.stem, name} & set(wanted):
                continue
            with tempfile.TemporaryDirectory() as folder:
                try:
                    run(notebook, name, Path(folder))
                except Exception as error:
                    failures += 1
                    print(
                        f"FAILED {notebook.stem} on {name}: {str(error).strip()[-600:]}", flush=True
                    )
                else:
                    print(f"ok     {notebook.stem} on {name}", flush=True)
    print(f"{failures} failed")
    return failures


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
