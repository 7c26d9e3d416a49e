"""The streams of random numbers: every use of random numbers that depends on a seed, by name.

A stream is the sequence that NumPy's ``SeedSequence`` derives from a seed, the number of the stream, and further numbers such as the epoch.
Two uses are independent if their streams have different numbers, or if their further numbers differ in count or meaning. A number never
changes, since the results of a seed depend on it; a new use takes the next free one.

Three uses are seeded by the content of a cell instead, so that equal cells are changed alike: corruptions, the choice of points of a large
cloud, and the digest that ``AUGMENTATION`` gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np


class Stream(Enum):
    """A use of random numbers: its number, and what is random. None = the stream has no number of its own."""

    INSPECTED_CELLS = 3, "the rows whose cells inspection describes"
    SUSPECT_ROWS = 5, "the rows in which inspection looks for leaks and near duplicates"
    SPLIT = 7, "the parts and folds of a split"
    ORDER = 11, "the order of the rows of an epoch (by epoch)"
    HIDDEN_FIELDS = 13, "the fields that are hidden in training (by epoch and step)"
    MODEL = 17, "the initial weights of a model (by fold and voter)"
    BALANCE = 19, "the random numbers of a balancer (by epoch and step)"
    VARIANCE = 19, "the uncertainty of variances in a comparison"
    ROUND_CHANCE = 20, "the part of a difference that differs between rounds by chance"
    CALIBRATION_PARTS = 23, "the parts of the rows that fit scales for one another"
    PREFLIGHT_ROWS = 23, "the blocks of rows that a check reads"
    ROUND_ROWS = 23, "the rows of a stage of a comparison (by round)"
    FITTED_CELLS = 29, "the cells from which a modality learns"
    ROUND = 29, "the seed of a round of a comparison (by round)"
    CALIBRATION_ROWS = 31, "the rows that are kept for calibration"
    TREES = 37, "the folds, summaries and boosters of boosted trees (by use, then by number)"
    ROUNDS = 41, "the rounds that the interval of a comparison samples"
    IMPORTANCE = 43, "the permutations of an importance (by part and repeat)"
    TRIAL = 47, "the settings of a trial of a search (by trial)"
    AUGMENTATION = None, "the variation of a training cell (by epoch, field and content)"
    SHAPLEY_ORDERS = None, "the orders of the fields that Shapley values average"
    ANALYZED_ROWS = None, "the rows that an explanation samples"
    PERMUTATIONS = None, "the permutations of a field (by number)"
    PROJECTED_CELLS = None, "the cells of other rows in a projection (by field)"
    PROJECTED_ROWS = None, "the rows of a projection"
    MADE_UP_ROWS = None, "the cells of made-up rows on which an exported model is compared"
    CHANCE = None, "the predictions from which the calibration error by chance is simulated"


def generator(stream: Stream, seed: int | Sequence[int], *further: int) -> np.random.Generator:
    """Return the generator of a stream.

    :param seed: the seed, or several numbers that identify it
    :param further: further numbers, such as the epoch and the step
    """
    return np.random.default_rng(_entropy(stream, seed, further))


def seed_of(stream: Stream, seed: int, *further: int, bits: int = 63) -> int:
    """Return a seed of another generator, such as torch's, as a number of at most ``bits`` bits.

    :param seed: the seed
    :param further: further numbers, such as the fold
    """
    state = np.random.SeedSequence(_entropy(stream, seed, further)).generate_state(1, np.uint64)[0]
    return int(state >> (64 - bits))


def _entropy(stream: Stream, seed: int | Sequence[int], further: Sequence[int]) -> list[int]:
    """Return the numbers from which the sequence of a stream is derived."""
    number = stream.value[0]
    return [*(seed if isinstance(seed, Sequence) else [seed]), *([] if number is None else [number]), *further]
