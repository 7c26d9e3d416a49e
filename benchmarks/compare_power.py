"""Level and power of the verdict of ``compare``, simulated on arrays with known truth: no model is trained.

    python benchmarks/compare_power.py [--simulations 400] [--choice 150] [--quick]

Two models predict the same rows with a true accuracy of 80 % (the first with ``effect`` more). Half of the latent variance of the
difficulty of a row is common to both models, so that their predictions are correlated; with clusters of 4, so are the rows of a cluster.
Training changes the accuracy of each model in each round by a normal variate with a standard deviation of ``training`` points. Its
variance is divided in three ways:

- ``independent``: each round has its own variate;
- ``overlap``: a part n_test / (n_test + n_train) of the variance is the same in all rounds, the correlation of Nadeau and Bengio (2003);
- ``rows``: the variate is a mean over training rows, each with an effect of its own, and the training sets of R rounds overlap as those
  of R-fold cross-validation do. Here what the rounds have in common is a property of this table, and no interval from one table can cover
  other tables: the column shows by how much every method exceeds the level.

Printed for each: how often (per cent) the lower end of the 95 % interval is above 0 and its upper end below 0, by ``paired`` (ours), by the
corrected resampled t test (Nadeau and Bengio 2003), and by a paired t test over the rounds. Under effect 0 each should be at most 2.5. The
second table counts verdicts if the best of several equal fusions and the best of several equal single fields are chosen on other rows from
the models that are measured (``chosen``).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from polymodal.evaluation.advantage import t_above
from polymodal.evaluation.paired import chosen, paired

_QUANTILE, _DENSITY = 0.8416, 0.2800  # of the standard normal at 80 %
Rounds = list[np.ndarray]


def effects(rng: np.random.Generator, kind: str, rounds: int, models: int, training: float) -> np.ndarray:
    """Return the change of the accuracy of each model in each round by training, (models, rounds)."""
    if kind == "rows":
        each = rng.normal(size=(models, rounds))  # the mean effect of each part; every round trains on all parts but one
        mean = (each.sum(1, keepdims=True) - each) / (rounds - 1)
        return np.asarray(training * mean * (rounds - 1) ** 0.5)
    shared = 1 / rounds if kind == "overlap" else 0.0
    common = shared**0.5 * rng.normal(size=(models, 1))
    return np.asarray(training * (common + (1 - shared) ** 0.5 * rng.normal(size=(models, rounds))))


def answers(rng: np.random.Generator, hard: np.ndarray, moved: float) -> np.ndarray:
    """Return whether each row is predicted correctly by a model whose accuracy is changed by ``moved``."""
    return np.asarray(0.5**0.5 * (hard + rng.normal(size=len(hard))) < _QUANTILE + moved / _DENSITY, np.float64)


def difficulty(rng: np.random.Generator, rows: int, cluster: int) -> np.ndarray:
    """Return the difficulty of each row; half of its variance is common to the rows of a cluster."""
    if cluster == 1:
        return rng.normal(size=rows)
    return np.asarray(0.5**0.5 * (np.repeat(rng.normal(size=rows // cluster), cluster) + rng.normal(size=rows // cluster * cluster)))


def t_point(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t."""
    low, high = 1.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_above(middle, freedom) > 0.025 else (low, middle)
    return low


def once(
    rng: np.random.Generator, kind: str, rounds: int, rows: int, cluster: int, effect: float, training: float, seed: int
) -> np.ndarray:
    """Return for our interval, the corrected t test and the t test whether the interval is above 0, and whether it is below, (3, 2)."""
    moved = effects(rng, kind, rounds, 2, training)
    first: Rounds = []
    second: Rounds = []
    clusters: Rounds = []
    for at in range(rounds):
        hard = difficulty(rng, rows // rounds, cluster)
        first.append(answers(rng, hard, moved[0, at] + effect))
        second.append(answers(rng, hard, moved[1, at]))
        clusters.append(np.arange(len(hard)) // cluster + at * rows)
    ours = paired(first, second, clusters, seed, bounds=(0, 1))
    gain = np.array([one.mean() - two.mean() for one, two in zip(first, second, strict=True)])
    mean, spread, point = gain.mean(), gain.var(ddof=1), t_point(rounds - 1)
    sides = [(ours.low > 0, ours.high < 0)]
    for factor in (1 / rounds + 1 / (rounds - 1), 1 / rounds):
        half = point * (spread * factor) ** 0.5
        sides.append((mean > half, mean < -half))
    return np.array(sides, np.float64)


def choice(rng: np.random.Generator, kind: str, rounds: int, rows: int, fused: int, alone: int, training: float, seed: int) -> np.ndarray:
    """Return whether the interval of the best fusion against the best single field is above 0, and whether it is below, (2,)."""
    moved = effects(rng, kind, rounds, fused + alone, training)
    hard = [difficulty(rng, rows // rounds, 1) for _ in range(rounds)]
    choosing = difficulty(rng, round(0.15 * rows / 0.85), 1)
    names = [f"{at}" for at in range(fused + alone)]
    of = {name: [answers(rng, hard[at], moved[place, at]) for at in range(rounds)] for place, name in enumerate(names)}
    scores = {name: [float(answers(rng, choosing, move).mean()) for move in moved[place]] for place, name in enumerate(names)}
    clusters = [np.arange(len(one)) + at * rows for at, one in enumerate(hard)]
    first, second = ({name: of[name] for name in some} for some in (names[:fused], names[fused:]))
    difference = chosen(first, second, scores, clusters, seed, bounds=(0, 1))
    return np.array([difference.low > 0, difference.high < 0], np.float64)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables of level and power, and of the choice among equal contenders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--choice", type=int, default=150)
    parser.add_argument("--quick", action="store_true", help="5 rounds alone")
    options = parser.parse_args(arguments)
    cases = [(3, 500), (3, 4_000), (5, 500), (5, 4_000), (10, 2_000)]
    cases = [(rounds, rows) for rounds, rows in cases if not options.quick or rounds == 5]
    print("rounds  rows  cluster  training      kind  effect |        ours |  corrected t |  t over rounds   (above, below 0; per cent)")
    for rounds, rows in cases:
        for cluster, kind, effect in [
            (1, "independent", 0.0), (1, "overlap", 0.0), (4, "overlap", 0.0), (1, "rows", 0.0), (1, "independent", 0.02),
        ]:  # fmt: skip
            for training in (0.0, 0.01, 0.03):
                if training == 0 and kind == "rows":
                    continue
                rng = np.random.default_rng([rounds, rows, cluster, len(kind), int(1e4 * training)])
                shares = np.mean(
                    [once(rng, kind, rounds, rows, cluster, effect, training, seed) for seed in range(options.simulations)], axis=0
                )
                shown = " | ".join(f"{100 * above:5.1f} {100 * below:5.1f}" for above, below in shares)
                print(f"{rounds:6}{rows:6,}{cluster:9}{100 * training:10.1f}{kind:>12}{100 * effect:8.0f} | {shown}", flush=True)
    print("\nrounds  rows  fusions  fields  training      kind |  chosen (above, below 0; per cent)")
    for rounds, rows in cases:
        for fused, alone in ((3, 2), (10, 2)):
            for kind, training in (("independent", 0.0), ("independent", 0.01), ("overlap", 0.01), ("overlap", 0.03)):
                rng = np.random.default_rng([rounds, rows, fused, alone, int(1e4 * training)])
                helps, harms = np.mean(
                    [choice(rng, kind, rounds, rows, fused, alone, training, seed) for seed in range(options.choice)], axis=0
                )
                shown = f"{100 * helps:5.1f} {100 * harms:5.1f}"
                print(f"{rounds:6}{rows:6,}{fused:9}{alone:8}{100 * training:10.1f}{kind:>12} | {shown}", flush=True)


if __name__ == "__main__":
    main()
