"""Compares boosted trees with the best thresholds of splits, with random ones, and the mean of both, on tables of columns.

    python benchmarks/thresholds.py [--splits 5]

The tables are scikit-learn's breast cancer, wine, digits and diabetes, and 20,000 generated rows that resemble the California housing
table, split anew by each seed. The trees are those of ``polymodal train`` without the linear start and without the other votes. For each
table the benchmark prints the loss out of fold that decides between the three, and the loss and the metric on test rows (mean squared error
of a standardised number and R2, or log loss and accuracy): means over the splits. ``chosen`` is the way with the smallest loss out of fold
in each split.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.metrics import accuracy_score, r2_score
from table_features import Fold, plain_tables, splits_of

from polymodal.random_streams import Stream, seed_of
from polymodal.trees import TreesConfig
from polymodal.trees.ensemble import Trees, tables_of
from polymodal.trees.fitting import folds_of
from polymodal.trees.jobs import Chosen, Job, Labels, Way
from polymodal.trees.start import Objective, loss_of

WAYS = ("best", "random", "both")


def encoded(fold: Fold) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Objective, int]:
    """Return numbers and labels of training and test rows, the loss and the number of outputs."""
    train, target_N, test, truth_N = fold.labelled()
    numbers = train.to_numpy(np.float32), test.to_numpy(np.float32)
    if fold.is_number:
        mean, deviation = target_N.mean(), target_N.std()
        return numbers[0], (target_N - mean) / deviation, numbers[1], (truth_N - mean) / deviation, "squared", 1
    classes = np.unique(target_N)
    labels = [np.searchsorted(classes, part).astype(np.float64) for part in (target_N, truth_N)]
    return numbers[0], labels[0], numbers[1], labels[1], *(("softmax", len(classes)) if len(classes) > 2 else ("logistic", 1))


def measured(fold: Fold, config: TreesConfig) -> list[list[float]]:
    """Train the three ways on the training rows of a split. Return the loss out of fold, and the loss and the metric on test rows, of each
    of them and of the one with the smallest loss out of fold."""
    numbers_NK, target_N, fresh_NK, truth_N, objective, outputs = encoded(fold)
    labels = Labels(objective, target_N[:, None], outputs)
    job = Job(0, 0, numbers_NK, labels, None, folds_of(labels, None, config.bags, np.random.default_rng(fold.number)))
    seeds = [seed_of(Stream.TREES, fold.number, part, bits=31) for part in range(config.bags)]
    exact, random = (
        [job.trial(config, seed, part, float("inf"), Way(random=is_random)) for part, seed in enumerate(seeds)]
        for is_random in (False, True)
    )
    best_rounds, random_rounds = ([trial.rounds for trial in trials] for trials in (exact, random))
    rows = []
    for trials, chosen in (
        ([exact], Chosen(False, best_rounds)), ([random], Chosen(False, random=random_rounds)),
        ([exact, random], Chosen(False, best_rounds, random_rounds)),
    ):  # fmt: skip
        boosters = chosen.boosters(config.boosters)
        trees = [(job.trees(config, seed, rounds, way), job.outputs, 1 / len(boosters)) for way, rounds, seed in boosters]
        scores_NC = Trees(tables_of(trees), numbers_NK.shape[1], outputs)(torch.tensor(fresh_NK)).double().numpy()
        outside = loss_of(scores_NC, truth_N, np.ones(len(truth_N)), objective) / len(truth_N)
        answers_N = scores_NC.argmax(1) if outputs > 1 else scores_NC[:, 0] > 0
        metric = r2_score(truth_N, scores_NC[:, 0]) if fold.is_number else accuracy_score(truth_N, answers_N)
        rows.append([job.loss(trials) / len(target_N), outside, float(metric)])
    return [*rows, min(rows)]


def main() -> None:
    """Print a line for each table and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=5, metavar="N")
    arguments = parser.parse_args()
    print("| table | thresholds | loss out of fold | loss on test rows | r2 or accuracy |\n|---|---|---|---|---|")
    for name, rows in plain_tables().items():
        lines = [measured(fold, TreesConfig()) for fold in splits_of(name, rows, arguments.splits)]
        for way, values in zip((*WAYS, "chosen"), np.mean(lines, 0), strict=True):
            print(f"| {name} | {way} | " + " | ".join(f"{value:.4f}" for value in values) + " |", flush=True)


if __name__ == "__main__":
    main()
