"""Training of trees: what they learn, and that neither workers nor a repeated run change a bit."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from polymodal.random_streams import Stream, generator
from polymodal.trees import BoostedTrees, TreesConfig
from polymodal.trees.fitting import FieldCells, _seconds, fit, folds_of, summarised
from polymodal.trees.jobs import Budget, Chosen, Job, Labels, Trial, Way
from polymodal.trees.start import Objective

ROWS = 240


def fields(seed: int = 0) -> tuple[dict[str, FieldCells], np.ndarray]:
    rng = np.random.default_rng(seed)
    values_NK = rng.standard_normal((ROWS, 3)).astype(np.float32)
    samples = [{"values": row} for row in values_NK]
    return {"v": FieldCells("vector", {"length": 3}, samples, np.arange(ROWS))}, values_NK


def votes(trees: BoostedTrees, values_NK: np.ndarray) -> list[torch.Tensor]:
    return trees({"v": torch.from_numpy(values_NK)}, {"v": torch.ones(len(values_NK), dtype=torch.bool)})


def labels(values_NK: np.ndarray) -> list[Labels]:
    product_N = values_NK[:, 0] * values_NK[:, 1]
    return [
        Labels("squared", product_N[:, None].astype(np.float64), 1),
        Labels("logistic", (product_N[:, None] > 0).astype(np.float64), 1),
        Labels("softmax", np.digitize(values_NK[:, :1], [-0.4, 0.4]).astype(np.float64), 3),
        Labels("logistic", (values_NK[:, :2] > 0).astype(np.float64), 2),
    ]


def rounds_of(chosen: Chosen) -> list[int]:
    return [*chosen.best, *chosen.random]


def test_every_kind_of_task_is_learned_and_repeated_to_the_last_bit_by_any_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, values_NK = fields()
    tasks = labels(values_NK)
    made, chosen = fit(TreesConfig(bags=3, rounds=60), cells, [0], tasks, None, 5, 2)
    assert len(chosen) == 1 + 1 + 1 + 2
    assert all(len(rounds) == 3 for one in chosen for rounds in (one.best, one.random) if rounds)
    outputs = votes(made, values_NK)
    assert [tuple(one.shape) for one in outputs] == [(ROWS, 1), (ROWS, 1), (ROWS, 3), (ROWS, 2)]
    fresh_NK = np.random.default_rng(9).standard_normal((400, 3)).astype(np.float32)
    regression, binary, multiclass, several = votes(made, fresh_NK)
    product_N = fresh_NK[:, 0] * fresh_NK[:, 1]
    assert np.corrcoef(regression[:, 0].numpy(), product_N)[0, 1] > 0.5
    assert ((binary[:, 0].numpy() > 0) == (product_N > 0)).mean() > 0.8
    assert (multiclass.argmax(1).numpy() == np.digitize(fresh_NK[:, 0], [-0.4, 0.4])).mean() > 0.9
    assert ((several.numpy() > 0) == (fresh_NK[:, :2] > 0)).mean() > 0.9
    for workers, repeated in ((1, None), (3, chosen)):
        monkeypatch.setattr("polymodal.trees.fitting._LARGE", 0)
        again, same = fit(TreesConfig(bags=3, rounds=60), cells, [0], tasks, None, 5, workers, repeated)
        assert same == chosen
        assert {name: value.tolist() for name, value in again.state_dict().items()} == {
            name: value.tolist() for name, value in made.state_dict().items()
        }
    other, _ = fit(TreesConfig(bags=3, rounds=60), cells, [0], tasks, None, 6, 2)
    assert not torch.equal(votes(other, values_NK)[0], outputs[0])


def test_rows_without_a_target_and_of_weight_zero_teach_nothing() -> None:
    cells, values_NK = fields()
    label_NT = values_NK[:, :1].astype(np.float64)
    weights_N = np.ones(ROWS)
    weights_N[:40] = 0
    first, _ = fit(TreesConfig(bags=3, rounds=20), cells, [0], [Labels("squared", label_NT, 1, weights_N)], None, 0, 1)
    missing_NT = label_NT.copy()
    missing_NT[200:] = np.nan
    second, _ = fit(TreesConfig(bags=3, rounds=20), cells, [0], [Labels("squared", missing_NT, 1)], None, 0, 1)
    for made in (first, second):
        assert np.corrcoef(votes(made, values_NK)[0][:, 0].numpy(), values_NK[:, 0])[0, 1] > 0.8


def test_a_target_that_hardly_any_row_has_gets_a_constant_vote() -> None:
    cells, values_NK = fields()
    rare_NT = np.full((ROWS, 1), np.nan)
    rare_NT[7] = 1.0
    tasks = [Labels("squared", values_NK[:, :1].astype(np.float64), 1), Labels("softmax", rare_NT, 3)]
    made, chosen = fit(TreesConfig(bags=2, rounds=20), cells, [0], tasks, None, 0, 1)
    _, rare = votes(made, values_NK)
    assert (rare == 0).all()
    assert chosen[1:] == [Chosen(linear=False, best=[1], random=[])]


def test_rows_of_a_unit_share_a_fold() -> None:
    """Copies of 60 rows with random labels: if copies crossed the folds, trees would fit them and stop late."""
    rng = np.random.default_rng(0)
    values_NK = np.repeat(rng.standard_normal((60, 3)).astype(np.float32), 4, 0)
    label_NT = np.repeat(rng.standard_normal((60, 1)), 4, 0)
    cells = {"v": FieldCells("vector", {"length": 3}, [{"values": row} for row in values_NK], np.arange(ROWS))}
    _, apart = fit(TreesConfig(bags=3, rounds=60, learning_rate=0.2), cells, [0], [Labels("squared", label_NT, 1)], None, 0, 2)
    _, together = fit(
        TreesConfig(bags=3, rounds=60, learning_rate=0.2), cells, [0], [Labels("squared", label_NT, 1)], np.repeat(np.arange(60), 4), 0, 2
    )
    assert max(rounds_of(together[0])) < min(rounds_of(apart[0]))
    assert min(rounds_of(apart[0])) > 20


def test_thresholds_are_chosen_out_of_fold() -> None:
    """A step is found by the best threshold; a sum of many smooth curves under noise is averaged better by random ones."""
    rng = np.random.default_rng(0)
    values_NK = rng.standard_normal((900, 8)).astype(np.float32)
    cells = {"v": FieldCells("vector", {"length": 8}, [{"values": row} for row in values_NK], np.arange(900))}
    relations = [
        lambda x_NK: np.where(x_NK[:, 0] > 1.0, 5.0, 0.0) * np.where(x_NK[:, 1] > 0.3, 1.0, -1.0),
        lambda x_NK: np.cos(x_NK).sum(1) * 0.5,
    ]
    targets = [relation(values_NK) + noise * rng.standard_normal(900) for relation, noise in zip(relations, (0, 1), strict=True)]
    tasks = [Labels("squared", target_N[:, None].astype(np.float64), 1) for target_N in targets]
    made, (step, smooth) = fit(TreesConfig(bags=3), cells, [0], tasks, None, 0, 1)
    assert step.best
    assert not step.random
    assert smooth.random
    fresh_NK = rng.standard_normal((500, 8)).astype(np.float32)
    outputs = votes(made, fresh_NK)
    errors = [np.abs(vote[:, 0].numpy() - relation(fresh_NK)).mean() for vote, relation in zip(outputs, relations, strict=True)]
    assert errors[0] < 0.2
    assert errors[1] < 0.4


def test_two_ways_have_half_as_many_boosters_each() -> None:
    best, random = Way(linear=True), Way(linear=True, random=True)
    assert Chosen(True, best=[10, 20]).boosters(3) == [(best, 18, 0), (best, 18, 1), (best, 18, 2)]
    assert Chosen(True, random=[4, 4]).boosters(1) == [(random, 5, 0)]
    assert Chosen(True, [10, 20], [100, 200]).boosters(3) == [(best, 18, 0), (best, 18, 1), (random, 180, 0), (random, 180, 1)]
    assert Chosen(False, [1, 1]).boosters(2) == [(Way(), 1, 0), (Way(), 1, 1)]


@pytest.mark.parametrize(("objective", "outputs"), [("squared", 1), ("logistic", 1), ("softmax", 3)])
def test_the_vote_is_the_mean_of_the_boosters_of_both_ways(objective: Objective, outputs: int) -> None:
    cells, values_NK = fields()
    target_NT = np.digitize(values_NK[:, :1] + values_NK[:, 1:2] * values_NK[:, 2:], [-0.4, 0.4] if outputs > 1 else [0.0]).astype(
        np.float64
    )
    config, tasks = TreesConfig(bags=2, boosters=2, learning_rate=0.1), [Labels(objective, target_NT, outputs)]
    ways = [Chosen(False, [9, 11], []), Chosen(False, [], [9, 11])]
    apart = [votes(fit(config.model_copy(update={"boosters": 1}), cells, [0], tasks, None, 0, 1, [way])[0], values_NK)[0] for way in ways]
    both, _ = fit(config, cells, [0], tasks, None, 0, 1, [Chosen(False, [9, 11], [9, 11])])
    assert len(both.state_dict()["trees.0.root_T"]) == 2 * 12 * outputs
    assert not torch.allclose(apart[0], apart[1])
    torch.testing.assert_close(votes(both, values_NK)[0], (apart[0] + apart[1]) / 2)


def test_a_deadline_in_the_past_leaves_at_most_ten_rounds() -> None:
    cells, values_NK = fields()
    tasks = [Labels("squared", values_NK[:, :1].astype(np.float64), 1)]
    _, (chosen,) = fit(TreesConfig(bags=4), cells, [0], tasks, None, 0, 2, deadline=time.monotonic() - 1)
    assert all(0 < rounds <= 10 for rounds in rounds_of(chosen))


def stops(budget: Budget, now: list[float], trials: int, workers: int, takes: float) -> list[float]:
    """The seconds of each trial, if each takes a number of seconds or is stopped earlier, and ``workers`` begin at the same time."""
    seconds: list[float] = []
    for _ in range(0, trials, workers):
        ends = [budget.next() for _ in range(min(workers, trials - len(seconds)))]
        seconds += [min(takes, end - now[0]) for end in ends]
        now[0] += max(seconds[-len(ends) :])
    return seconds


@pytest.mark.parametrize(("trials", "workers"), [(15, 1), (10, 2), (10, 4), (5, 8), (15, 16)])
def test_trials_have_up_to_twice_and_at_least_half_of_an_equal_part_of_the_time(
    monkeypatch: pytest.MonkeyPatch, trials: int, workers: int
) -> None:
    now, waves = [100.0], -(-trials // workers)
    monkeypatch.setattr("polymodal.trees.jobs.time.monotonic", lambda: now[0])
    bound = stops(Budget(200.0, trials, workers), now, trials, workers, 1e9)
    assert now[0] == pytest.approx(200)
    assert bound[0] == pytest.approx(min(100, 200 / waves))
    assert min(bound) >= 0.5 * 100 / waves - 1e-9
    now[0] = 100.0
    short = stops(Budget(200.0, trials, workers), now, trials, workers, 1.9 * 100 / waves if waves > 1 else 90.0)
    assert short[0] == pytest.approx(1.9 * 100 / waves if waves > 1 else 90.0), "a trial that is longer than others is not stopped"
    assert Budget(float("inf"), trials, workers).next() == float("inf")


def test_boosters_on_all_rows_have_fewer_rounds_if_the_time_is_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, values_NK = fields()
    tasks = [Labels("squared", values_NK[:, :1].astype(np.float64), 1)]
    deadline = time.monotonic() + 600
    _, (whole,) = fit(TreesConfig(bags=3, rounds=60), cells, [0], tasks, None, 0, 1, deadline=deadline)
    assert whole == fit(TreesConfig(bags=3, rounds=60), cells, [0], tasks, None, 0, 1)[1][0]
    assert whole.scaled(0.5) == Chosen(whole.linear, [one // 2 for one in whole.best], [one // 2 for one in whole.random])
    monkeypatch.setattr("polymodal.trees.fitting._seconds", lambda *_: [1e6])
    _, (short,) = fit(TreesConfig(bags=3, rounds=60), cells, [0], tasks, None, 0, 1, deadline=deadline)
    assert short == whole.scaled(0.0)
    assert set(rounds_of(short)) == {1}


def test_the_seconds_of_boosters_follow_from_those_of_the_trials() -> None:
    trials = {random: [Trial(1, None, 0.2 if random else 0.1)] * 5 for random in (False, True)}
    both, config = Chosen(False, [10] * 5, [20] * 5), TreesConfig()
    assert _seconds(both, config, trials, has_copies=False) == pytest.approx([12 * 0.125] * 2 + [24 * 0.25] * 2)
    assert _seconds(both, config, trials, has_copies=True)[0] == pytest.approx(2 * 12 * 0.125)


def test_a_first_round_without_a_split_does_not_end_a_booster() -> None:
    """Random thresholds on one column of counts often leave too few rows on one side."""
    rng = np.random.default_rng(0)
    counts_NK = rng.poisson(0.7, (2_000, 1)).astype(np.float32)
    labels = Labels("squared", counts_NK + rng.standard_normal((2_000, 1)), 1)
    job = Job(0, 0, counts_NK, labels, None, np.arange(2_000) % 5)
    for seed in range(30):
        trees = job.trees(TreesConfig(), seed, 3, Way(random=True))
        assert len(trees) == 3
        assert all("split_feature" in tree["tree_structure"] for tree in trees)


def test_a_fold_without_labels_does_not_count_in_the_number_of_rounds() -> None:
    cells, values_NK = fields()
    first = Labels("squared", values_NK[:, :1].astype(np.float64), 1)
    fold_N = folds_of(first, None, 3, generator(Stream.TREES, 0, 0))
    some_NT = np.where(fold_N[:, None] == 0, np.nan, values_NK[:, 1:2] ** 2).astype(np.float64)
    weights_N = np.where(fold_N == 0, 0.0, 1.0)
    for labels in (Labels("squared", some_NT, 1), Labels("squared", np.nan_to_num(some_NT), 1, weights_N)):
        _, (_, chosen) = fit(TreesConfig(bags=3, rounds=60), cells, [0], [first, labels], None, 0, 1)
        assert len(chosen.best or chosen.random) == 2
        assert min(rounds_of(chosen)) > 5


def test_a_row_that_lacks_the_field_gets_the_vote_of_missing_numbers() -> None:
    cells, values_NK = fields()
    made, _ = fit(TreesConfig(bags=2, rounds=5), cells, [0], [Labels("squared", values_NK[:, :1].astype(np.float64), 1)], None, 0, 1)
    numbers, absent = {"v": torch.from_numpy(values_NK[:4])}, {"v": torch.tensor([True, False, True, False])}
    vote = made(numbers, absent)[0]
    assert torch.equal(vote[1], vote[3])
    assert torch.equal(vote[1], made({"v": torch.full((1, 3), torch.nan)}, {"v": torch.tensor([True])})[0][0])


def test_fields_without_numbers_have_no_summary() -> None:
    forms = {"photo": "pixels", "text": "ngrams", "columns": "columns", "sound": "waveform", "frozen": "features"}
    assert summarised(forms) == ["text", "columns", "frozen"]


@pytest.mark.parametrize("setting", [{"rounds": 0}, {"leaves": 1}, {"bags": 1}, {"learning_rate": 0.0}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        TreesConfig(**setting)
