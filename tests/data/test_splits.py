"""Tests of splits: balanced, reproducible by seed, and with every group in one part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polymodal.config import validate
from polymodal.data.order import epoch_order
from polymodal.data.reading import groups_of
from polymodal.data.sources import open_source
from polymodal.data.splits import CALIBRATE, OUT, SELECT, TEST, TRAIN, VALID, Split, SplitConfig, selection, split
from polymodal.errors import ConfigError, DataError


def splitted(
    rows: int = 200, seed: int = 0, strata: Any = None, groups: Any = None, cells: Any = None, usable: Any = None, **settings: Any
) -> Split:
    strata = np.zeros(rows, np.int64) if strata is None else np.asarray(strata)
    usable = np.ones(rows, bool) if usable is None else usable
    return split(SplitConfig(**settings), usable, strata, seed, None if groups is None else np.asarray(groups), cells)


def test_random_parts_have_their_shares_and_rare_classes_are_in_each() -> None:
    strata = np.repeat([0, 1, 2], [100, 85, 15])
    found = splitted(strata=strata, kind="random", valid=0.2, test=0.2)
    parts = found.part_N[strata == 2]
    assert abs(np.isin(parts, (SELECT, VALID)).sum() - 3) <= 1
    assert abs((parts == TEST).sum() - 3) <= 1
    assert [(found.part_N == part).sum() for part in (TRAIN, SELECT, VALID, TEST)] == [120, 13, 27, 40]
    assert (found.part_N != OUT).all()
    assert not found.folds
    train, valid = found.member(0)
    assert not set(train) & set(valid)
    np.testing.assert_array_equal(found.fitting, train)


def test_a_constant_answer_to_coin_labels_is_reported_as_good_as_it_is_on_new_rows() -> None:
    """Under folds, and with one model: over 600 tables of 200 rows the most frequent class of the training rows is right in half of the
    validation rows. With classes dealt evenly it would be right in 52.8 %."""
    for settings in ({"kind": "folds"}, {"kind": "random", "valid": 0.3}):
        right = []
        for seed in range(600):
            labels = np.random.default_rng(seed).integers(0, 2, 200)
            found = splitted(200, seed, strata=labels, **settings)
            answers = []
            for fold in range(found.members):
                train, valid = found.member(fold)
                answers += list(labels[valid] == (labels[train].mean() > 0.5))
            right.append(np.mean(answers))
        error = float(np.std(right)) / 600**0.5
        assert np.mean(right) == pytest.approx(0.5, abs=3 * error)
        assert error < 0.0035


def test_folds_are_even_in_rare_strata_and_every_row_is_validated_once() -> None:
    strata = np.arange(190) // 15
    found = splitted(190, strata=strata, kind="folds", folds=5)
    apart = found.calibrating
    assert len(apart) == 19
    counts = np.array([[(found.fold_N[strata == label] == fold).sum() for fold in range(5)] for label in range(13)])
    assert (np.ptp(counts, axis=1) <= 1).all()
    seen = np.concatenate([found.member(fold)[1] for fold in range(5)])
    np.testing.assert_array_equal(np.sort(np.concatenate([seen, apart])), np.arange(190))
    for fold in range(5):
        train, valid = found.member(fold)
        np.testing.assert_array_equal(np.sort(np.concatenate([train, valid, apart])), np.arange(190))


@pytest.mark.parametrize(("rows", "count"), [(40, 0), (99, 0), (100, 19), (200, 39), (600, 39), (1_000, 59), (2_000, 119), (2_999, 159)])
def test_calibration_rows_are_one_less_than_a_multiple_of_twenty_and_no_member_sees_them(rows: int, count: int) -> None:
    found = splitted(rows, strata=np.arange(rows) % 4 == 0)
    apart = found.calibrating
    assert len(apart) == count
    assert not len(found.selecting)
    if count:
        assert (found.part_N[apart] == CALIBRATE).all()
    for fold in range(5):
        train, valid = found.member(fold)
        assert not np.isin(apart, np.concatenate([train, valid])).any()


def test_the_rows_of_a_fold_are_in_two_even_halves_and_groups_are_in_one_of_them() -> None:
    found = splitted(900, kind="folds")
    for fold in range(5):
        first, second = found.halves(fold)
        np.testing.assert_array_equal(np.sort(np.concatenate([first, second])), found.member(fold)[1])
        assert abs(len(first) - len(second)) <= 1
    group = np.arange(900) // 3
    found = splitted(900, groups=group, kind="folds", test=0.2)
    for fold in range(5):
        for half in found.halves(fold):
            assert set(np.flatnonzero(np.isin(group, group[half]))) == set(half)
    assert set(np.flatnonzero(np.isin(group, group[found.calibrating]))) == set(found.calibrating)
    assert splitted(60, kind="random").halves(0) == ()


@pytest.mark.parametrize(("count", "selecting"), [(1, 0), (7, 0), (8, 4), (15, 7), (16, 8), (24, 8), (30, 10), (450, 150)])
def test_a_third_of_what_is_held_out_selects_and_the_others_validate(count: int, selecting: int) -> None:
    rows = np.arange(100, 100 + count)
    strata = np.arange(1_000) % 2
    chosen = selection(rows, strata, None, 0)
    assert len(chosen) == selecting
    assert set(chosen) <= set(rows)
    if selecting >= 8:
        assert abs(strata[chosen].mean() - 0.5) < 0.1
    np.testing.assert_array_equal(chosen, selection(rows, strata, None, 0))


def test_groups_are_on_one_side_of_selection() -> None:
    groups = np.arange(300) // 5
    chosen = selection(np.arange(300), np.zeros(300), groups, 3)
    assert len(chosen) == 100
    assert not set(groups[chosen]) & set(np.delete(groups, chosen))


@pytest.mark.parametrize("settings", [{"kind": "random"}, {"kind": "folds", "folds": 3}, {"kind": "random", "test": 0.2}])
def test_the_same_seed_is_the_same_split_and_another_is_another(settings: Any) -> None:
    one, two, other = splitted(**settings), splitted(**settings), splitted(seed=1, **settings)
    np.testing.assert_array_equal(one.part_N, two.part_N)
    np.testing.assert_array_equal(one.fold_N, two.fold_N)
    assert not (np.array_equal(one.part_N, other.part_N) and np.array_equal(one.fold_N, other.fold_N))


@pytest.mark.parametrize(
    "settings", [{"kind": "group", "group": "g", "valid": 0.3, "test": 0.2}, {"kind": "folds", "folds": 4, "group": "g", "test": 0.1}]
)
@pytest.mark.parametrize("seed", range(5))
def test_rows_of_one_group_are_never_on_both_sides(settings: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 25, 200)
    found = splitted(seed=seed, strata=rng.integers(0, 3, 200), groups=group, **settings)
    for label in np.unique(group):
        inside = group == label
        assert len(np.unique(found.part_N[inside])) == 1
        assert len(np.unique(found.fold_N[inside])) == 1
    assert {TRAIN, TEST} <= set(found.part_N)


def test_auto_takes_folds_for_few_rows_and_holds_out_for_many() -> None:
    assert splitted(200).folds == 5
    assert splitted(200).members == 5
    many = splitted(3000)
    assert many.folds == 0
    assert (many.part_N == VALID).mean() == pytest.approx(0.10, abs=0.005)
    assert (many.part_N == SELECT).mean() == pytest.approx(0.05, abs=0.005)
    assert not (many.part_N == TEST).any(), "no test rows unless asked"


def test_time_holds_out_the_latest_rows() -> None:
    days = [f"2024-{month:02d}-{day:02d}" for month in (3, 1, 2) for day in range(1, 11)]
    found = splitted(30, cells=days, kind="time", column="day", valid=0.2, test=0.1)
    when = {part: [days[at] for at in np.flatnonzero(found.part_N == part)] for part in (TRAIN, VALID, TEST)}
    assert max(when[TRAIN]) < min(when[VALID])
    assert max(when[VALID]) < min(when[TEST])
    long = splitted(100, cells=[str(at) for at in range(100)], kind="time", column="n", valid=0.3)
    assert np.flatnonzero(long.part_N == SELECT).tolist() == list(range(70, 80)), "the report is of the latest rows"
    assert [len(when[part]) for part in (TRAIN, VALID, TEST)] == [21, 6, 3]
    numbers = splitted(10, cells=[str(at) for at in range(10)], kind="time", column="n", valid=0.3)
    assert np.flatnonzero(numbers.part_N == VALID).tolist() == [7, 8, 9]
    with pytest.raises(DataError, match="row 2, column 'when': found 'soon'; expected a date or a number"):
        split(SplitConfig(kind="time", column="when"), np.ones(3, bool), np.zeros(3), 0, None, ["2024-01-01", "soon", "3"])


def test_a_column_says_which_part_in_several_words() -> None:
    words = ["train", "Training", " TRAIN ", "valid", "val", "dev", "test", "训练", "验证", "测试"]
    found = split(SplitConfig(kind="column", column="part"), np.ones(10, bool), np.zeros(10), 0, None, list(words))
    assert found.part_N.tolist() == [TRAIN] * 3 + [VALID] * 3 + [TEST, TRAIN, VALID, TEST]
    with pytest.raises(DataError, match="row 2, column 'part': found 'tarin'; expected train, valid or test"):
        split(SplitConfig(kind="column", column="part"), np.ones(2, bool), np.zeros(2), 0, None, ["valid", "tarin"])
    with pytest.raises(DataError, match="no row has the value valid"):
        split(SplitConfig(kind="column", column="part"), np.ones(2, bool), np.zeros(2), 0, None, ["train", "test"])


def test_rows_that_are_not_usable_are_out() -> None:
    usable = np.arange(200) % 4 != 0
    every: list[dict[str, Any]] = [{"kind": "random"}, {"kind": "folds"}, {"kind": "group", "group": "g"}]
    for settings in every:
        found = splitted(usable=usable, groups=np.arange(200) // 2 if "group" in settings else None, **settings)
        np.testing.assert_array_equal(found.part_N == OUT, ~usable)
        assert (found.fold_N[~usable] == -1).all()


def test_too_few_rows_or_groups_say_so() -> None:
    with pytest.raises(DataError, match="3 rows with a target to split; expected at least 5"):
        splitted(3, kind="folds")
    with pytest.raises(DataError, match="1 groups to split"):
        splitted(50, groups=np.zeros(50), kind="group", group="g")
    assert set(splitted(2, kind="random").part_N) == {TRAIN, VALID}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"kind": "time"}, "kind: time needs 'column'"),
        ({"kind": "group"}, "kind: group needs 'group'"),
        ({"valid": 0.6, "test": 0.4}, "leave too few rows to train on"),
        ({"folds": 1}, "folds: found 1"),
        ({"kind": "fold"}, "kind: found 'fold'"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(tree: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(SplitConfig, tree)
    assert said in str(caught.value)


# -- rare classes and rows without a group -----------------------------------------------------------------------------------


def with_classes(codes: Any, seed: int, groups: Any = None, pairs: Any = None, **settings: Any) -> Split:
    codes = np.asarray(codes)
    known = (np.arange(len(codes)), codes) if pairs is None else tuple(map(np.asarray, zip(*pairs, strict=True)))
    return split(SplitConfig(**settings), np.ones(len(codes), bool), codes, seed, groups, None, known)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(8))
def test_every_class_has_rows_to_train_on_at_a_random_split(seed: int) -> None:
    codes = np.array([0] * 40 + [1] * 40 + [2, 3, 3, 4, 4, 4])
    found = with_classes(codes, seed, kind="random", valid=0.3, test=0.2)
    trained = np.bincount(codes[found.part_N == TRAIN], minlength=5)
    assert trained[2] == 1
    assert trained[3] == 2, "both rows of a class of two train"
    assert trained[4] >= 2
    assert (found.part_N == VALID).sum() >= 15
    assert (found.part_N == TEST).sum() >= 8
    plain = split(SplitConfig(kind="random", valid=0.3, test=0.2), np.ones(86, bool), codes, seed)
    assert (found.part_N != plain.part_N).sum() == (plain.part_N[found.part_N != plain.part_N] != TRAIN).sum(), "rows only move to training"


def test_classes_of_frequent_rows_change_no_split() -> None:
    codes = np.arange(200) % 4
    for settings in ({"kind": "random", "test": 0.1}, {"kind": "folds", "folds": 5}):
        plain = split(SplitConfig(**settings), np.ones(200, bool), codes, 3)  # type: ignore[arg-type]
        found = with_classes(codes, 3, **settings)
        np.testing.assert_array_equal(found.part_N, plain.part_N)
        np.testing.assert_array_equal(found.fold_N, plain.fold_N)
        np.testing.assert_array_equal(found.half_N, plain.half_N)


@pytest.mark.parametrize("seed", range(4))
def test_some_rows_validate_however_many_classes_are_rare(seed: int) -> None:
    found = with_classes(np.arange(20) // 2, seed, kind="random", valid=0.3)
    assert (found.part_N == VALID).sum() >= 3, "half of those that a split gives"
    assert set(np.arange(20)[found.part_N == TRAIN] // 2) == set(range(10)), "each class trains"
    alone = with_classes(np.arange(20), seed, kind="random", valid=0.3)
    assert (alone.part_N == VALID).sum() == 1


@pytest.mark.parametrize("seed", range(4))
def test_folds_train_on_every_class_that_has_two_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 2, 300), np.full(300, 9)
    second[rng.permutation(300)[:2]] = 8  # of the second target, by which rows are not spread
    pairs = [*enumerate(first), *enumerate(second)]
    for folds in (2, 5, 20):
        found = with_classes(first, seed, pairs=pairs, kind="folds", folds=folds)
        for fold in range(folds):
            assert set(second[found.member(fold)[0]]) == {8, 9}
        held = np.concatenate([found.member(fold)[1] for fold in range(folds)])
        np.testing.assert_array_equal(np.sort(np.concatenate([held, found.calibrating])), np.arange(300))
    tested = with_classes([0] * 50 + [1], seed, kind="folds", folds=5, test=0.5)
    assert tested.part_N[50] == TRAIN
    assert tested.fold_N[50] >= 0


@pytest.mark.parametrize("seed", range(6))
def test_a_group_with_the_only_rows_of_a_class_trains_whole(seed: int) -> None:
    groups = np.arange(60) // 3
    codes = np.where(groups == 7, 5, groups % 2)
    found = with_classes(codes, seed, groups, kind="group", group="g", valid=0.4)
    assert (found.part_N[groups == 7] == TRAIN).all()
    for group in range(20):
        assert len(set(found.part_N[groups == group])) == 1


def test_a_row_without_a_group_is_a_group_of_its_own() -> None:
    source = open_source([{"g": cell} for cell in ("a", None, "b", "", float("nan"), "a", " ", "nan", 1, "1", 1.0)])
    found = groups_of(source, "g")
    assert found[0] == found[5]
    assert found[8] == found[9] == found[10]
    assert len(set(found.tolist())) == 8
    missing = groups_of(open_source([{"g": None}] * 50 + [{"g": f"p{at}"} for at in range(10)]), "g")
    parts = splitted(60, groups=missing, kind="group", group="g").part_N
    assert (parts[:50] == TRAIN).any()
    assert (parts[:50] == VALID).any()


def test_an_empty_cell_of_a_split_says_its_row_and_what_to_do() -> None:
    for kind, cells in (
        ("time", ["2024-01-01", None, "2024-01-03"]),
        ("column", ["train", float("nan"), "valid"]),
        ("column", ["train", " ", "valid"]),
    ):
        with pytest.raises(DataError, match=r"row 2, column 'c': an empty cell; expected .*; fill it, or remove that row from the table"):
            splitted(3, cells=cells, kind=kind, column="c")


# -- the order of rows ---------------------------------------------------------------------------------------------------


def test_the_order_is_a_permutation_of_seed_and_epoch() -> None:
    rows = np.arange(5, 105)
    one = epoch_order(rows, None, 3, 1)
    np.testing.assert_array_equal(np.sort(one), rows)
    np.testing.assert_array_equal(one, epoch_order(rows, None, 3, 1))
    assert not np.array_equal(one, epoch_order(rows, None, 3, 2))
    assert not np.array_equal(one, epoch_order(rows, None, 4, 1))


def test_rows_that_share_a_cell_travel_together_and_others_do_not() -> None:
    shared = np.repeat(np.arange(30), 10)
    shared[:20] = -1  # these rows have no picture
    order = epoch_order(np.arange(300), shared, 0, 1, together=8)
    np.testing.assert_array_equal(np.sort(order), np.arange(300))
    held = shared[order]
    runs = np.split(held, np.flatnonzero(np.diff(held)) + 1)
    assert sum(len(run) == 8 for run in runs if run[0] >= 0) >= 20
    assert max(len(run) for run in runs if run[0] >= 0) <= 10
    assert len([run for run in runs if run[0] == -1]) > 5, "rows without a picture are spread over the epoch"
