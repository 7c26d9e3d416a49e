"""Compares priors of the scale by which the pooled prediction is multiplied (docs/design/014-coverage.md).

    python benchmarks/scale_prior.py [--rows 600] [--seeds 20] [--only noisy_4 clean_2]

For each table with classes of ``known_tables.py`` and each seed, a default run is trained as in ``honesty.py``. The logits of its
calibration rows, before they are scaled, determine a scale under each prior. The log loss of 2,000 fresh rows with that scale, minus the
log loss without one, is printed as the mean over the seeds and its standard error. A negative value: scaling helps. ``best`` is the scale
that minimises the log loss of the fresh rows themselves, and ``log`` the mean and the standard deviation of its logarithm. 20 seeds of ten
tables take about two hours on one core.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import honesty
import numpy as np
from known_tables import Cell, kinds, sampled
from scipy.special import log_softmax

import polymodal.evaluation.calibration as calibration

GRID = np.linspace(-3, 2.5, 1_101)
"""The logarithms of the scales that are tried."""
TABLES = ("coin", "weak", "strong", "disagree", "clean_2", "noisy_2", "clean_4", "noisy_4", "clean_10", "noisy_10")


DEVIATIONS = {"0.32": 0.316, "0.22": 0.224, "0.16": 0.158, "0.11": 0.112}
"""The standard deviations of normal priors of the logarithm of the scale."""


def losses(logits_NC: np.ndarray, class_N: np.ndarray) -> np.ndarray:
    """Return the mean log loss of the rows for each scale of the grid."""
    return np.array([-log_softmax(np.exp(log) * logits_NC, 1)[np.arange(len(class_N)), class_N].mean() for log in GRID])


def measured(cell: Cell) -> dict[str, float]:
    """Return, by prior, the log loss of the fresh rows minus that without a scale; and the logarithm of the best scale as ``log``.

    ``shipped`` is the scale of the model itself.
    """
    kept: dict[str, Any] = {}
    plain = calibration.scale_of_logits

    def recorded(task: Any, logits_NC: np.ndarray, target_NT: np.ndarray) -> float:
        kept.update(logits=logits_NC, target=target_NT, scale=plain(task, logits_NC, target_NT))
        return float(kept["scale"])

    calibration.scale_of_logits = recorded
    try:
        kind = kinds()[cell.kind]
        train, fresh, fields = sampled(kind, cell)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = honesty.trained(kind, cell, train, fields)
            scores_NC = np.asarray(model.predict_proba(fresh), float)
    finally:
        calibration.scale_of_logits = plain
    labels = [str(label) for label in model.classes]
    known = fresh["y"].isin(labels).to_numpy()
    class_N = np.array([labels.index(label) for label in fresh["y"][known]])
    there = losses(np.log(scores_NC[known].clip(1e-12)) / kept["scale"], class_N)
    logits_NC = np.asarray(kept["logits"], float)
    if logits_NC.shape[1] == 1:
        logits_NC = np.concatenate([np.zeros_like(logits_NC), logits_NC], 1)
    here = losses(logits_NC, np.asarray(kept["target"]).ravel().astype(int))
    none = there[np.abs(GRID).argmin()]
    at = {name: (len(kept["target"]) * here + GRID**2 / (2 * deviation**2)).argmin() for name, deviation in DEVIATIONS.items()}
    at |= {"shipped": np.abs(GRID - np.log(kept["scale"])).argmin(), "best": there.argmin()}
    return {name: float(there[place] - none) for name, place in at.items()} | {"log": float(GRID[at["best"]])}


def main() -> None:
    """Measure the cells, and print a line for each table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", nargs="+", default=list(TABLES), choices=TABLES)
    arguments = parser.parse_args()
    honesty.start()
    names = [*DEVIATIONS, "shipped", "best", "log"]
    print(f"{'table':10}" + "".join(f"{name:>18}" for name in names))
    means: dict[str, list[float]] = {name: [] for name in names[:-2]}
    for table in arguments.only:
        found = [measured(Cell(table, arguments.rows, seed)) for seed in range(arguments.seeds)]
        cells = []
        for name in names:
            spread = honesty.Spread([one[name] for one in found])
            cells.append(f"{spread.mean:+.4f} ({spread.deviation if name == 'log' else spread.error:.4f})")
            if name in means:
                means[name].append(spread.mean)
        print(f"{table:10}" + "".join(f"{cell:>18}" for cell in cells), flush=True)
    print(f"{'mean':10}" + "".join(f"{np.mean(values):>+18.4f}" for values in means.values()))


if __name__ == "__main__":
    main()
