"""The settings of boosted trees."""

from __future__ import annotations

from pydantic import Field as Setting

from ..config import Config


class TreesConfig(Config):
    """The settings of boosted trees beside the network."""

    rounds: int = Setting(2_000, ge=1, le=100_000)
    """The maximum number of trees of a booster in a trial without one of the folds, whose loss decides when to stop. A round adds one tree
    for each output. Boosters on all rows have up to 1.2 times as many."""
    learning_rate: float = Setting(0.03, gt=0, le=1)
    """The factor on the values of each tree. It is multiplied by the square root of the number of outputs, since there are fewer rounds,
    and by 5/3 for trees with random thresholds of splits."""
    leaves: int = Setting(16, ge=2, le=1_024)
    """The maximum number of leaves of a tree."""
    bags: int = Setting(5, ge=2, le=20)
    """The number of folds of the training rows that determine the number of rounds."""
    boosters: int = Setting(3, ge=1, le=20)
    """The number of boosters whose mean votes, each trained on all training rows with other random numbers. Where trees with the best and
    with random thresholds of splits vote together, there are half as many of each, rounded up."""
    repeats: bool = True
    """Whether trees read the mean target of the training rows with the same text. Texts are recognised by a hash. Never if the rows are
    private, or if data.split.group names a column: new rows are then of other groups."""
    max_rows: int = Setting(200_000, ge=100)
    """The maximum number of training rows; of more rows, an even sample is used."""
