"""Tests of tasks: names of classes, weights, labels, transforms, and the pooling of votes."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from typing import Any, Literal

import numpy as np
import pytest
import torch

from builders.tasks import PLACE, answers, binary, multiclass, multilabel, regression
from polymodal.errors import DataError, Fault
from polymodal.flow import FUSED
from polymodal.tasks import (
    RULES,
    Binary,
    BinaryConfig,
    Multiclass,
    MulticlassConfig,
    Multilabel,
    MultilabelConfig,
    NumberTask,
    Reading,
    RegressionConfig,
    TargetFacts,
    Task,
    TaskConfig,
    class_of,
    constant,
    labels_of,
)
from polymodal.tasks.influence import jackknife
from polymodal.tasks.metrics import Metric
from polymodal.tasks.names import name_of
from polymodal.tasks.pooling import least_weights, pooled
from polymodal.tasks.voting import fit_weights, pool

# -- classes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        ([2, 10, 1], [1, 2, 10]),
        (["2", "10", "1.0", "1"], [1, 2, 10]),
        ([1.0, 2.0, "2"], [1, 2]),
        ([np.int64(3), np.float32(4)], [3, 4]),
        (["-1", "0", "1"], [-1, 0, 1]),
        ([True, False, "true", "FALSE"], [False, True]),
        (["yes", "no"], ["no", "yes"]),
        (["红", "绿", " 红 "], ["红", "绿"]),
        (["caf\u00e9", "cafe\u0301", "x"], ["caf\u00e9", "x"]),
        (["①", "②"], ["①", "②"]),
        (["²", "--5", "-"], ["-", "--5", "²"]),
        (["007", "7"], ["007", "7"]),
        (["1.5", "2"], ["1.5", "2"]),
        (["9" * 5000, "1"], ["1", "9" * 5000]),
        (["nan", "NaN"], ["NaN", "nan"]),
    ],
)
def test_the_names_of_classes(cells: list[Any], classes: list[Any]) -> None:
    task = multiclass(cells)
    assert task.classes == classes
    assert [type(name) for name in task.classes] == [type(name) for name in classes]
    answers = task.values(np.eye(len(classes)))
    assert list(answers) == classes
    for at, name in enumerate(classes):
        assert task.encode(name).tolist() == [at]


def test_an_unseen_class_is_encoded_as_such_and_what_is_no_class_is_a_fault() -> None:
    assert multiclass(["a", "b"]).encode("c").tolist() == [-1]
    assert binary(["a", "b"]).encode("c").tolist() == [-1]
    for cell in (b"a", ["a"], {"a": 1}, ("a",)):
        with pytest.raises(Fault, match="expected the name of a class"):
            name_of(cell)
    with pytest.raises(DataError, match=r"t.csv, column 'y': found list"):
        multiclass([["a"], ["b"]])


@pytest.mark.parametrize("cells", [["a", "a"], ["1", "1.0"], []])
@pytest.mark.parametrize("make", [binary, multiclass])
def test_one_class_is_refused(make: Any, cells: list[Any]) -> None:
    with pytest.raises(DataError, match=r"t.csv, column 'y': (only one class|no value at all).*choose another target"):
        make(cells)


def test_three_classes_are_not_binary() -> None:
    with pytest.raises(DataError, match="3 classes; expected two for kind: binary; use kind: multiclass"):
        binary(["a", "b", "c"])


@pytest.mark.parametrize(
    ("cells", "positive", "order"),
    [
        (["no", "yes"], None, ["no", "yes"]),
        (["no", "yes"], "no", ["yes", "no"]),
        ([0, 1], None, [0, 1]),
        ([0, 1], 0, [1, 0]),
        (["0", "1"], "0", [1, 0]),
        ([True, False], False, [True, False]),
        ([2, 10], None, [2, 10]),
    ],
)
def test_the_positive_class_is_last(cells: list[Any], positive: Any, order: list[Any]) -> None:
    task = binary(cells, positive=positive)
    assert task.classes == order
    scores = task.scores(torch.tensor([[3.0], [-3.0]])).numpy()
    assert list(task.values(scores)) == [order[1], order[0]]
    assert task.encode(order[1]).tolist() == [1.0]


def test_a_positive_class_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(DataError, match="'yess' is no class of the target; the classes are no, yes; did you mean 'yes'"):
        binary(["no", "yes"], positive="yess")


def test_class_weights() -> None:
    cells = ["a"] * 6 + ["b"] * 2
    assert multiclass(cells).state["class_weights"] is None
    balanced = multiclass(cells, class_weight="balanced", label_smoothing=0.0)
    assert balanced.state["class_weights"] == [8 / 12, 2.0]
    assert sum(w * n for w, n in zip(balanced.state["class_weights"], (6, 2), strict=True)) == pytest.approx(8), "of mean 1 over the rows"
    assert multiclass(cells, class_weight={"b": 3}).state["class_weights"] == [1.0, 3.0]
    with pytest.raises(DataError, match="class_weight: 'c' is no class"):
        multiclass(cells, class_weight={"c": 3})
    logits, target = torch.zeros(2, 2), torch.tensor([[0.0], [1.0]])
    np.testing.assert_allclose(balanced.losses(logits, target), np.array([8 / 12, 2.0]) * math.log(2), rtol=1e-6)
    two = binary(cells, class_weight={"b": 3})
    np.testing.assert_allclose(two.losses(torch.zeros(2, 1), target), np.array([1.0, 3.0]) * math.log(2), rtol=1e-6)


def test_losses_are_the_textbook_s() -> None:
    logits, target = torch.tensor([[2.0], [-1.0]]), torch.tensor([[1.0], [1.0]])
    np.testing.assert_allclose(binary(["a", "b"]).losses(logits, target), np.log1p(np.exp([-2.0, 1.0])), rtol=1e-6)
    logits = torch.tensor([[1.0, 2.0, 0.5]])
    expected = -torch.log_softmax(logits, 1)
    plain = multiclass(["a", "b", "c"], label_smoothing=0.0).losses(logits, torch.tensor([[1.0]]))
    np.testing.assert_allclose(plain, expected[:, 1], rtol=1e-6)
    smooth = multiclass(["a", "b", "c"], label_smoothing=0.3).losses(logits, torch.tensor([[1.0]]))
    np.testing.assert_allclose(smooth, 0.7 * expected[:, 1] + 0.3 * expected.mean(1), rtol=1e-6)


# -- labels --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("a;b", {"a", "b"}), (" a ; b;", {"a", "b"}), ("a", {"a"}), (";", set()), ("[]", set()), ([], set()), ("['a', 'b']", {"a", "b"}),
        ('["a, b", "it\'s"]', {"a, b", "it's"}), ("[a, b]", {"a", "b"}), (["a", "b", None], {"a", "b"}), (("a",), {"a"}),
        (np.array(["a", "b"]), {"a", "b"}), ([1, 2.0], {"1", "2"}), ("1;2.0", {"1", "2"}), (3, {"3"}), ("红;绿", {"红", "绿"}),
        (["a", float("nan"), ""], {"a"}), ({"a", "b"}, {"a", "b"}), (frozenset("a"), {"a"}), (np.array("a"), {"a"}), ("[a];[b]", {"[a]", "[b]"}),
    ],
)  # fmt: skip
def test_labels_of_a_cell(cell: Any, labels: set[str]) -> None:
    assert labels_of(cell) == labels


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("['cat' 'dog']", {"cat", "dog"}), ("['cat' 'dog'\n 'eel']", {"cat", "dog", "eel"}), ("[0 1 1]", {"0", "1"}), ("[3. 4.]", {"3", "4"}),
        ("[ True False]", {"True", "False"}), ("array(['a', 'b'], dtype=object)", {"a", "b"}), ("array([], dtype=float64)", set()),
        ("{'a', 'b'}", {"a", "b"}), ("set()", set()), ("frozenset({'a'})", {"a"}), ("('a', 'b')", {"a", "b"}), ("('a',)", {"a"}), ("()", set()),
        ("[np.str_('a'), np.int64(3), np.True_]", {"a", "3", "True"}), ("['it\\'s', \"b, c\"]", {"it's", "b, c"}), ('["it\'s" \'b\']', {"it's", "b"}),
        ("['a', nan, None]", {"a"}), ("{cat,dog}", {"cat", "dog"}), ("[New York, Paris]", {"New York", "Paris"}), ("[GO:01, GO:02]", {"GO:01", "GO:02"}),
        ("[a; b]", {"a", "b"}), ("['...', 'a']", {"...", "a"}), ("['\\u00e9']", {"é"}), ("[007, 1]", {"007", "1"}), ("Index(['a', 'b'], dtype='object')", {"a", "b"}),
        ("shape: (2,)\nSeries: '' [str]\n[\n\t\"a\"\n\t\"b\"\n]", {"a", "b"}), ("0    a b\n1      c\ndtype: object", {"a b", "c"}),
        ("<StringArray>\n['a', 'b']\nLength: 2, dtype: string", {"a", "b"}), ("['a', 'b']\nCategories (2, object): ['a', 'b']", {"a", "b"}),
        ("(low)", {"(low)"}), ("(0, 10)", {"(0, 10)"}), ("{a b}", {"{a b}"}), ("(a);(b)", {"(a)", "(b)"}), ("tensor([0, 1])", {"0", "1"}),
    ],
)  # fmt: skip
def test_lists_as_tools_print_them(cell: str, labels: set[str]) -> None:
    assert labels_of(cell) == labels


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("[1 2 ... 8 9]", "middle was left out"), ("['a' 'b' ... 'z']", "middle was left out"), ("[“a”, …]", "middle was left out"),
        ("[cat dog]", "words without commas or quotes, 'cat dog'; expected commas between labels"), ("['a'b]", "'b' right behind a label"),
        ("[a, 'b']", "'a' outside of quotes"), ("[a, [b]", r"a list with '\['"), ("[" * 500 + "]", r"a list with '\['"), ("[['a'], ['b']]", "in it"),
        ('[["a"], ["b"]]', "found list"), ("[b'a' b'b']", "found bytes"), ('{"a": 1}', "found a mapping"), (b"a", "found bytes"), ({"a": 1}, "found dict"),
        ("['" + "a" * 200_000 + "']", "a list of 200,004 characters; expected at most 100,000"), ("['a', 'b'", None),
        ("[" + "'\\'" * 30_000 + "]", "right behind a label"), ("{'a': 1, 'b'}", "a colon outside of quotes"),
    ],
)  # fmt: skip
def test_lists_that_cannot_be_read_are_faults(cell: Any, said: str | None) -> None:
    if said is None:  # no closing bracket: a text
        assert labels_of(cell) == {cell}
        return
    with pytest.raises(Fault, match=said):
        labels_of(cell)


def test_labels_are_learned_and_encoded() -> None:
    task = multilabel(["b;a", ["a"], ";", "c"])
    assert task.classes == ["a", "b", "c"]
    assert task.state["counts"] == [2, 1, 1]
    assert task.encode("c;a").tolist() == [1, 0, 1]
    assert task.encode("new;a").tolist() == [1, 0, 0]
    assert task.encode([]).tolist() == [0, 0, 0]
    assert list(task.values(np.array([[0.9, 0.5, 0.1], [0.1, 0.2, 0.3]]))) == [["a", "b"], []]
    assert multilabel(["b|a"], separator="|").classes == ["a", "b"]
    with pytest.raises(DataError, match="no label at all"):
        multilabel([";", []])
    with pytest.raises(DataError, match=r"t.csv, column 'y': found dict"):
        multilabel([{"a": 1}])


# -- numbers -------------------------------------------------------------------------------------------------------------


def test_a_number_goes_in_standardised_and_comes_out_in_its_unit() -> None:
    task = regression(["10", 20.0, "1,030"])
    values = np.array([10, 20, 1030])
    assert task.state["mean"] == pytest.approx(values.mean())
    encoded = np.stack([task.encode(value) for value in values])
    np.testing.assert_allclose(encoded[:, 0], (values - values.mean()) / values.std(), rtol=1e-5)
    np.testing.assert_allclose(task.scores(torch.from_numpy(encoded)).numpy()[:, 0], values, rtol=1e-4)


@pytest.mark.parametrize(("cells", "constant"), [([0.0, 0.3, 0.7], 0.1), ([1e9, 1e9 + 3, 1e9 + 7], 1e9 + 1)])
def test_of_rows_whose_number_is_the_same_r2_is_undefined(cells: list[float], constant: float) -> None:
    task = regression(cells)
    target = np.stack([task.encode(constant)] * 7)
    scores = np.full((7, 1), constant + 0.05)
    found, reasons = task.measure(target, scores)
    assert (found["r2"], reasons) == (None, {"r2": "needs targets that differ"})
    assert found["rmse"] == pytest.approx(0.05, abs=1e-5)
    assert task.row_values(target, scores, "r2") is None


def test_the_log_transform_is_undone_and_refuses_negative_numbers() -> None:
    task = regression([0, 9, 99], transform="log")
    assert task.state["mean"] == pytest.approx(np.log([1, 10, 100]).mean())
    encoded = torch.from_numpy(np.stack([task.encode(value) for value in (0, 9, 99)]))
    np.testing.assert_allclose(task.scores(encoded).numpy()[:, 0], [0, 9, 99], rtol=1e-4, atol=1e-5)
    assert torch.isfinite(task.scores(torch.tensor([[1e6]]))).all()
    with pytest.raises(DataError, match="-1 is negative"):
        regression([-1, 2], transform="log")
    with pytest.raises(Fault, match="expected 0 or more"):
        task.encode(-0.5)
    found, _ = task.measure(encoded.numpy(), np.array([[0.0], [9.0], [98.0]]))
    assert found["mae"] == pytest.approx(1 / 3, abs=1e-3), "in the target's own unit"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([5, 5, 5.0], "every value is 5"),
        ([], "no value at all"),
        ([1, "abc"], "found 'abc'; expected a finite number"),
        ([1, float("inf")], "found 'inf'"),
        ([1, "1e308", "-1e308"], "expected numbers up to"),
    ],
)
def test_a_target_that_cannot_be_learned_from(cells: list[Any], said: str) -> None:
    with pytest.raises(DataError) as caught:
        regression(cells)
    assert said in str(caught.value)
    assert PLACE in str(caught.value)


# -- all tasks -----------------------------------------------------------------------------------------------------------

CELLS: dict[str, Any] = {"answers": ["a", "a", "b"], "regression": 2, "multilabel": "c"}
TASKS: list[Task] = [binary(["a", "b"]), multiclass(["a", "b", "c"]), multilabel(["a;b", "c"]), answers([["a", "b"], ["a", "b"]]),
                     regression([1, 2, 4])]  # fmt: skip


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.config.kind)
def test_a_row_without_a_target_gives_a_finite_loss_and_no_gradient_of_its_own(task: Task) -> None:
    logits = torch.randn(4, task.outputs, generator=torch.Generator().manual_seed(0), requires_grad=True)
    target = torch.from_numpy(np.stack([task.encode(CELLS.get(task.config.kind, "a"))] * 4))
    target[1:3] = float("nan")
    losses = task.losses(logits, target)
    assert losses.shape == (4,)
    assert torch.isfinite(losses).all()
    (losses * torch.tensor([1.0, 0, 0, 1.0])).sum().backward()
    assert logits.grad is not None
    assert (logits.grad[1:3] == 0).all()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[0] != 0).any()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.config.kind)
@pytest.mark.parametrize("metric", ["own", None])
def test_the_monitor_falls_as_the_metric_gets_better(task: Task, metric: str | None) -> None:
    names = task.metric_names if metric else [task.default_metric]
    for name in names:
        chosen = type(task)(task.config.model_copy(update={"metric": name}), task.state)
        worse, better = (0.9, 0.1) if name in ("log_loss", "ece", "mae", "rmse") else (0.1, 0.9)
        assert chosen.monitor({name: better}) < chosen.monitor({name: worse})
    area = type(task)(task.config.model_copy(update={"metric": task.metric_names[-1]}), task.state)
    default = task.default_metric
    assert area.monitor({default: 0.1}) < area.monitor({default: 0.2}), "where the chosen metric is undefined the default one counts"
    assert np.isfinite(task.monitor({})), "a metric that is undefined on a fold still leaves a number to compare"


# -- votes ---------------------------------------------------------------------------------------------------------------


def votes_of(*values: list[float]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value).unsqueeze(1) for name, value in zip((FUSED, "a", "b"), values, strict=True)}


def test_the_weight_of_an_absent_voter_goes_to_the_others() -> None:
    votes = votes_of([1.0, 1.0, 1.0, 1.0], [3.0, 3.0, 9e9, 9e9], [5.0, 9e9, 5.0, 9e9])
    present = {"a": torch.tensor([True, True, False, False]), "b": torch.tensor([True, False, True, False])}
    answer = pool(votes, present, torch.tensor([0.5, 0.25, 0.25]))[:, 0]
    np.testing.assert_allclose(answer, [0.5 + 0.75 + 1.25, (0.5 + 0.75) / 0.75, (0.5 + 1.25) / 0.75, 1.0], rtol=1e-6)


def test_where_no_voter_with_a_weight_is_there_the_fused_one_answers() -> None:
    votes = votes_of([1.0, 2.0], [3.0, 3.0], [5.0, 5.0])
    present = {"a": torch.tensor([False, False]), "b": torch.tensor([True, False])}
    answer = pool(votes, present, torch.tensor([0.0, 2.0, 0.0]))[:, 0]
    np.testing.assert_allclose(answer, [2.0, 4.0], rtol=1e-6)


def test_fitted_weights_prefer_the_voter_that_knows() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 300)
    knows = 2.0 * np.eye(3)[truth] + rng.normal(0, 0.5, (300, 3))
    noise = rng.normal(0, 2, (300, 3))
    task = multiclass(["a", "b", "c"])
    everyone = [np.ones(300, bool)] * 2
    weights = fit_weights(task, [noise, knows, rng.normal(0, 2, (300, 3))], truth[:, None].astype(np.float32), everyone)
    assert weights[1] > 10 * (weights[0] + weights[2])
    two = binary(["a", "b"])
    label = (truth > 0).astype(np.float32)[:, None]
    weights = fit_weights(two, [rng.normal(0, 1, (300, 1)), 4 * label - 2 + rng.normal(0, 2, (300, 1))], label, everyone[:1])
    assert weights[1] > 5 * weights[0]
    number = regression([0.0, 1.0, 2.0])
    target = rng.normal(size=(300, 1))
    weights = fit_weights(number, [rng.normal(size=(300, 1)), target + rng.normal(0, 0.1, (300, 1))], target, everyone[:1])
    assert weights[1] > 0.9
    assert sum(weights) == pytest.approx(1.0, abs=1e-5)


def test_equal_weights_are_selected_where_fitted_ones_only_follow_chance() -> None:
    rng = np.random.default_rng(0)
    coin, half = rng.integers(0, 2, 160).astype(np.float32)[:, None], rng.random(160) < 0.5
    noise = [rng.normal(0, 4, (160, 1)) for _ in range(5)]
    task, present = binary(["a", "b"]), [half, ~half, half, np.ones(160, bool)]
    weights = fit_weights(task, noise, coin, present, select=True)
    assert len(set(weights)) == 1
    assert 0 < 5 * weights[0] < 0.5, "the sum is fitted: votes without any signal are shrunk"
    assert len(set(fit_weights(task, noise, coin, present))) > 1
    number = regression([0.0, 1.0, 2.0])
    target = rng.normal(0, 1, (160, 1))
    votes = [rng.normal(0, 0.3, (160, 1)) for _ in range(4)]
    assert fit_weights(number, votes, target, [np.ones(160, bool)] * 3, select=True) == [0.25] * 4


def test_fitted_weights_are_selected_where_voters_differ_and_where_rows_are_many() -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 3_000).astype(np.float32)[:, None]
    knows, noise = 4 * label - 2 + rng.normal(0, 2, (3_000, 1)), rng.normal(0, 1, (3_000, 1))
    task = binary(["a", "b"])
    alike = [knows, 4 * label - 2 + rng.normal(0, 2, (3_000, 1))]
    for rows, votes in ((160, [noise, knows]), (160, alike), (3_000, [noise + 0.1 * label, noise[::-1]])):
        given = (task, [vote[:rows] for vote in votes], label[:rows], [np.ones(rows, bool)])
        assert fit_weights(*given, select=True) == fit_weights(*given)
        assert len(set(fit_weights(*given))) == 2


def test_few_rows_and_rows_without_a_target_leave_the_fused_vote_alone() -> None:
    rng = np.random.default_rng(0)
    votes = [rng.normal(size=(300, 3)), rng.normal(size=(300, 3))]
    target = np.full((300, 1), np.nan)
    target[:15] = 0
    assert fit_weights(multiclass(["a", "b", "c"]), votes, target, [np.ones(300, bool)]) == [1.0, 0.0]


def test_rows_that_lack_fields_weigh_votes_as_they_are_answered() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    noise, knows, hardly = rng.normal(0, 2, (600, 3)), 4.0 * np.eye(3)[truth] + rng.normal(0, 2, (600, 3)), rng.normal(0, 2, (600, 3))
    target, task, first = truth[:, None].astype(np.float32), multiclass(["a", "b", "c"]), np.arange(600) < 300
    never, few = np.zeros(600, bool), np.arange(600) < 15
    for last in (never, few, ~first):  # no row has every field
        weights = fit_weights(task, [noise, knows, hardly], target, [first, last])
        assert weights[1] > 5 * weights[0]
        assert last is not never or weights[2] == 0.0, "nothing is known of it"
        assert last is not few or weights[2] == 0.0, "a field of fifteen rows"
    sure = 5 * (np.eye(3)[truth] + rng.normal(0, 1, (600, 3)))
    assert fit_weights(task, [sure, sure], target, [never])[0] < 0.5, "scaled although one column is empty throughout"


def test_a_number_that_float32_cannot_hold_is_a_fault() -> None:
    config = RegressionConfig(column="y")
    task = config.task()(config, config.task().fit(config, [1.0, 2.0, 3.0], "here"))
    with pytest.raises(Fault, match=r"found 1e\+300, .* spreads from the mean"):
        task.encode(1e300)


# -- whole columns: places, types, missing words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "places"),
    [
        ([[0, 1, 1], [1, 0, 0]], (0, 1, 2)), ([[False, True], [True, True]], (0, 1)), ([np.array([0.0, 1.0])] * 2, (0, 1)), (["[0, 1]", "[1, 0]"], (0, 1)),
        (["[0 1 1]", "[1 1 0]"], (0, 1, 2)), (["[ True False]"], (0, 1)), ([(0, 1), (1, 1)], (0, 1)), ([["0", "1", "1"], ["1", "0", "0"]], (0, 1, 2)),
        (["0;1;1", "1;0;0"], (0, 1, 2)), ([{"a": True, "b": False}, {"a": False, "b": False}], ("a", "b")), (['{"a": 1, "b": 0}'], ("a", "b")),
        ([[0, 1, 1]] * 19 + [[0, 1]], (0, 1, 2)), ([[0, 1, 1], None, float("nan")], (0, 1, 2)),
        ([["0", "1"], ["1"], []], None), ([[0, 1], [1], []], None), ([[0], [1]], None), ([[0, 1]] * 19 + [[1]], None), ([[0, 2], [1, 0]], None),
        ([["0", "1"], ["1", "0"]], None), ([[0, 1, None], [1, 1, 0]], None), ([0, 1, 1], None), (["0", "1"], None), ([{"a": 2, "b": 0}], None), ([], None),
    ],
)  # fmt: skip
def test_labels_by_place_are_known_by_the_whole_column(cells: list[Any], places: tuple[Any, ...] | None) -> None:
    facts = TargetFacts()
    for cell in cells:
        facts.add(cell)
    assert facts.close().places == places
    assert facts.reading(Multilabel).places == places
    assert facts.reading(Multiclass).places is None


def test_labels_by_place_are_encoded_and_answered_as_places() -> None:
    task = multilabel([[0, 1, 1], [1, 1, 0], [0, 0, 0]])
    assert task.classes == [0, 1, 2]
    assert (task.state["counts"], task.state["rows"], task.state["places"]) == ([1, 2, 1], 3, 3)
    task.check()
    same: list[Any] = [[1, 0, 1], np.array([True, False, True]), "[1, 0, 1]", "[1 0 1]", ("1", "0", "1"), "[ True False  True]", "1;0;1"]
    for cell in same:
        assert task.encode(cell).tolist() == [1, 0, 1]
    assert list(task.values(np.array([[0.9, 0.1, 0.8], [0.1, 0.1, 0.1]]))) == [[0, 2], []]
    refused: list[tuple[Any, str]] = [
        ([0, 1], "found 2 values; expected 3, each 0 or 1"),
        ([0, 1, 2], "found '2' at place 2; expected 3, each 0 or 1"),
        ([0, None, 1], "found 'None' at place 1"),
        ([], "found 0 values"),
        ("a;b;c", "found 'a' at place 0"),
        ({"a": 1, "b": 0}, "found values called 'a, b'"),
    ]
    for cell, said in refused:
        with pytest.raises(Fault, match=said):
            task.encode(cell)
    named = multilabel([{"cat": True, "dog": False}, {"cat": True, "dog": True}])
    assert named.classes == ["cat", "dog"]
    assert named.encode({"dog": 1, "cat": 0}).tolist() == [0, 1]
    assert named.encode([1, 0]).tolist() == [1, 0]
    altered = Multilabel(task.config, {**task.state, "places": 4})
    with pytest.raises(ValueError, match="4 places of 3 labels"):
        altered.check()


TYPED: list[tuple[list[Any], list[Any]]] = [
    (["0", "1"], ["0", "1"]), (["true", "false"], ["false", "true"]), (["1.0", "2.0", "2"], ["1.0", "2.0"]), (["1.0", "2.0", "1", "1"], ["1", "2.0"]),
    ([1, "1", 1, 2], [1, 2]), ([1, "1", "1", 2], ["1", 2]), ([True, "true", True, False], [False, True]), ([1.0, 2.0], [1, 2]), ([0.5, 1.0], [0.5, 1.0]),
    ([np.int64(3), np.float64(4)], [3, 4]), ([np.bool_(True), False], [False, True]), (["red ", "blue"], ["blue", "red "]), ([2**70, 1], [1, 2**70]),
    ([float("inf"), 1.5], [1.5, "inf"]), ([decimal.Decimal(1), decimal.Decimal("2.50")], [1, "2.50"]),
    ([datetime.date(2020, 1, 2), datetime.date(2020, 1, 3)], ["2020-01-02", "2020-01-03"]), ([1, "x", True], [1, True, "x"]),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "classes"), TYPED)
def test_classes_come_back_as_a_table_with_types_gave_them(cells: list[Any], classes: list[Any]) -> None:
    config = MulticlassConfig(column="y")
    task = Multiclass(config, json.loads(json.dumps(Multiclass.fit(config, cells, PLACE, Reading(typed=True)))))
    task.check()
    assert task.classes == classes
    assert [type(label) for label in task.classes] == [type(label) for label in classes]
    answers = task.values(np.eye(len(classes)))
    assert list(answers) == classes
    assert [task.encode(label).tolist() for label in classes] == [[at] for at in range(len(classes))]


def test_a_state_without_labels_answers_as_before_there_were_types() -> None:
    config = MulticlassConfig(column="y")
    state = Multiclass.fit(config, ["0", "1", "1"], PLACE, Reading(typed=True))
    assert Multiclass(config, state).classes == ["0", "1"]
    old = {name: value for name, value in state.items() if name not in ("labels", "missing")}
    task = Multiclass(config, old)
    task.check()
    assert task.classes == [0, 1]
    assert not task.reading.is_missing("NA"), "a model that knew no missing words"
    assert task.reading.is_missing(" NaN ")


@pytest.mark.parametrize("labels", [["0"], ["0", "2"], ["0", float("nan")], ["0", None], ["0", [1]], "01", ["0", True], [["0"], "1"]])
def test_labels_that_are_none_are_refused(labels: Any) -> None:
    config = BinaryConfig(column="y")
    state = Binary.fit(config, ["0", "1"], PLACE)
    with pytest.raises(ValueError, match="labels that differ from the classes"):
        Binary(config, {**state, "labels": labels}).check()
    with pytest.raises(ValueError, match="missing words"):
        Binary(config, {**state, "missing": [1]}).check()


def test_labels_of_lists_keep_their_type() -> None:
    config = MultilabelConfig(column="y")

    def classes(cells: list[Any], typed: bool = True) -> list[Any]:
        return Multilabel(config, Multilabel.fit(config, cells, PLACE, Reading(typed=typed))).classes or []

    assert classes([["1", "2"], ["2"]]) == ["1", "2"]
    assert classes([[1, 2], [2.0]]) == [1, 2]
    assert classes(["1;2", "2"]) == ["1", "2"]
    assert classes(["1;2", "2"], typed=False) == [1, 2]
    assert classes(["['a' 'b']", "[]"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("cells", "kind", "missing"),
    [
        (["None", "Mild"], "multiclass", False), (["-", "+"], "multiclass", False), (["yes", "no", "?"], "multiclass", False), (["-", "?"], "multiclass", False),
        (["0", "1", "NA"], "multiclass", True), ([0, 1, "NA"], "multiclass", True), ([True, False, "NA"], "multiclass", True), (["无", "1.5"], "multiclass", True),
        (["1.5", "unknown", "NA"], "regression", True), (["1;2", "3", "NA"], "multilabel", True), (["a;b", "NA"], "multilabel", False),
        ([[0, 1], [1, 1], "NA"], "multilabel", True), ([["a"], "NA"], "multilabel", False),
    ],
)  # fmt: skip
def test_words_are_missing_where_every_other_value_is_a_number(cells: list[Any], kind: str, missing: bool) -> None:
    facts = TargetFacts()
    for cell in cells:
        facts.add(cell)
    reading = facts.close().reading(class_of(kind))
    assert [reading.is_missing(word) for word in ("NA", " none", "-", "无")] == [missing] * 4
    for cell in (None, float("nan"), "", " ", "nan", "NULL", np.datetime64("NaT")):
        assert reading.is_missing(cell)
    assert not reading.is_missing([])
    assert not reading.is_missing("1.5")


def test_the_words_that_are_missing_can_be_said() -> None:
    none = multiclass(["0", "1", "NA"], missing=[])
    assert none.classes == ["0", "1", "NA"]
    assert none.state["missing"] == []
    some = multiclass(["a", "b", "Refused", "refused "], missing=["refused"])
    assert some.classes == ["a", "b"]
    assert some.reading.is_missing("REFUSED")
    assert not some.reading.is_missing("NA"), "only what was said"
    code = regression([1.5, 2.5, -999, "-999.0"], missing=[-999])
    assert code.state["low"] == 1.5
    assert all(code.reading.is_missing(cell) for cell in (-999, -999.0, "-999", np.int64(-999)))


def test_one_bad_cell_ends_no_fit() -> None:
    assert regression([1, 2, "apples", 1e308]).state["high"] == 2
    assert regression(["1", "2", "12 apples", "3"]).state["high"] == 3, "a unit is that of most cells"
    assert regression([1, 2, -1], transform="log").state["low"] == 1
    assert multilabel([["a"], b"x", "[1 2 ... 9]", ["b"]]).state["rows"] == 2
    assert multiclass(["a", "b", b"x"]).classes == ["a", "b"]


# -- weights of votes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_formulas_of_the_plain_loss_are_its_derivatives(kind: str) -> None:
    task: Task = {
        "binary": binary(["a", "b"]), "multiclass": multiclass(["a", "b", "c"]), "multilabel": multilabel([["a"], ["b"], ["c", "a"]]),
        "regression": regression([0.0, 1.0, 2.0]),
    }[kind]  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    logits_NC = torch.randn(40, task.outputs, generator=generator, dtype=torch.float64)
    slope_VNC = torch.randn(3, *logits_NC.shape, generator=generator, dtype=torch.float64)
    target_NT = torch.randint(0, 3 if kind == "multiclass" else 2, (40, task.target_width), generator=generator).double()
    for name, rest in (("plain_gradient", ()), ("plain_curvature", (slope_VNC,))):
        formula, by_autograd = (getattr(owner, name)(task, logits_NC, target_NT, *rest) for owner in (type(task), Task))
        torch.testing.assert_close(formula, by_autograd, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("lacking", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_no_other_weights_have_a_smaller_loss(kind: str, lacking: float) -> None:
    rng = np.random.default_rng(1)
    task: Task = multiclass(["a", "b", "c"]) if kind == "multiclass" else regression([0.0, 1.0, 2.0])
    target = rng.integers(0, 3, (400, 1)).astype(float) if kind == "multiclass" else rng.normal(size=(400, 1))
    truth = 2 * np.eye(3)[target[:, 0].astype(int)] if kind == "multiclass" else target
    votes = [torch.from_numpy(strength * truth + rng.normal(0, 1, truth.shape)) for strength in (0.3, 1.0, 0.6)]
    stacked, present = torch.stack(votes), torch.from_numpy(rng.random((3, 400)) >= lacking)
    present[0] = True
    scaled = kind == "multiclass"

    def loss(weights: torch.Tensor) -> float:
        answer = pooled(stacked, present, weights if scaled else weights / weights.sum(), fused=True)
        return float(task.plain_losses(answer, torch.from_numpy(target)).mean()) + 2 / 400 * float(weights.sum() - 1) ** 2

    best = least_weights(task, stacked, present, torch.from_numpy(target), torch.tensor([1.0, 0.1, 0.1]).double(), scaled)
    for _ in range(300):
        other = (best + torch.from_numpy(rng.normal(0, 10 ** rng.uniform(-3, 0), 3))).clamp(min=1e-3)
        assert loss(best) <= loss(other) + 1e-7


# -- what a new task need not implement ----------------------------------------------------------------------------------


class CountConfig(TaskConfig):
    """A count."""

    kind: Literal["count"] = "count"

    @classmethod
    def task(cls) -> type[Task]:
        return Count


class Count(NumberTask):
    """Poisson regression, with nothing but what must be there."""

    outputs = 1

    @classmethod
    def fit(cls, config: Any, cells: Any, place: str, reading: Reading | None = None) -> dict[str, Any]:
        return {}

    def check(self) -> None:
        self.check_reading()

    def encode(self, cell: Any) -> np.ndarray:
        return np.array([self.number_in(cell, self.reading)], np.float32)

    def losses(self, logits_BC: torch.Tensor, target_BT: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.poisson_nll_loss(logits_BC, self.filled(target_BT), reduction="none")[:, 0]

    def scores(self, logits_NC: torch.Tensor) -> torch.Tensor:
        return logits_NC.exp()


def count_task() -> Count:
    return Count(CountConfig(column="y"), {})


def test_a_task_without_a_metric_of_which_larger_is_better_is_refused() -> None:
    with pytest.raises(TypeError, match="no metric of which larger values are better"):
        type("Refused", (Count,), {"metrics": (Metric("mae", larger_is_better=False),)})


def test_a_minimal_number_task_has_all_that_is_asked_of_a_task() -> None:
    task = count_task()
    rng = np.random.default_rng(0)
    rate = np.exp(rng.normal(1, 0.5, 200))
    target = np.stack([task.encode(cell) for cell in rng.poisson(rate)])
    logits, loss = constant(task, target)
    assert logits[0] == pytest.approx(np.log(target.mean()), abs=1e-4), "the best constant rate is the mean"
    exact = torch.nn.functional.poisson_nll_loss(torch.full((200, 1), float(np.log(target.mean()))), torch.from_numpy(target))
    assert loss == pytest.approx(float(exact), abs=1e-5)
    votes = [np.log(rate)[:, None].astype(np.float32), rng.normal(size=(200, 1)).astype(np.float32)]
    weights = fit_weights(task, votes, target, [np.ones(200, bool)])
    assert sum(weights) == pytest.approx(1, abs=1e-5), "the votes on a number are averaged"
    assert weights[0] > 0.9
    scores = task.scores(torch.from_numpy(votes[0])).numpy()
    np.testing.assert_allclose(task.errors(target, scores), np.abs(target[:, 0] - scores[:, 0]), rtol=1e-6)
    assert (task.usual_metric, task.judged_by, task.metric, task.unit, task.has_sets) == ("r2", "r2", "rmse", "", True)
    assert task.goodness("rmse", 2.0) == -2.0
    row_values = task.row_values(target, scores)
    assert row_values is not None
    assert row_values.mean() == pytest.approx(task.measure(target, scores)[0]["r2"])
    assert not task.names(task.config, task.reading, "7")
    assert RULES["evidential"].refusal(Count)
    assert not RULES["mean"].refusal(Count)
    assert task.known(np.array([[1.0], [np.nan]])).tolist() == [True, False]
    assert task.describe() == "a number"
    with pytest.raises(Fault, match="expected a finite number"):
        task.encode("many")


@pytest.mark.parametrize(
    ("make", "metric"), [(lambda: multiclass(["a", "b", "c"]), "macro_f1"), (lambda: regression([1.0, 2.0, 7.0]), "r2")]
)
def test_the_default_influence_agrees_with_the_formula(make: Any, metric: str) -> None:
    task, rng = make(), np.random.default_rng(0)
    target = rng.integers(0, 3, (400, 1)).astype(float)
    logits = rng.normal(size=(400, task.outputs))
    scores = task.scores(torch.from_numpy(logits)).numpy()
    by_default, by_formula = Task.influence(task, metric, target, scores), task.influence(metric, target, scores)
    assert abs(by_default.mean()) < 1e-9
    np.testing.assert_allclose(by_default, by_formula, atol=0.05 * np.abs(by_formula).max())


def test_the_default_influence_of_many_rows_is_that_of_groups() -> None:
    found = jackknife(lambda rows: float(rows.mean()), 2_000)
    assert len(np.unique(found)) == 500
    np.testing.assert_allclose(found.reshape(500, 4), np.arange(2_000).reshape(500, 4).mean(1, keepdims=True).repeat(4, 1) - 999.5)
    assert jackknife(lambda rows: None, 5).tolist() == [0.0] * 5


@pytest.mark.parametrize("make", [lambda: binary(["a", "b"]), lambda: multiclass(["a", "b", "c"]), lambda: regression([1.0, 2.0, 7.0])])
def test_the_default_constant_is_the_best_one_as_the_formula_is(make: Any) -> None:
    task = make()
    target = torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [1.0]] + ([[2.0]] if task.outputs > 1 else []))
    losses = [task.plain_losses(logits.expand(len(target), -1), target).mean() for logits in
              (Task.constant_logits(task, target), task.constant_logits(target))]  # fmt: skip
    assert float(losses[0]) == pytest.approx(float(losses[1]), abs=1e-4)


def test_the_default_log_chances_are_those_of_the_scores() -> None:
    task = multiclass(["a", "b", "c"])
    logits = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    for label in range(3):
        for found, exact in zip(Task.log_chances(task, logits, label), task.log_chances(logits, label), strict=True):
            np.testing.assert_allclose(found.numpy(), exact.numpy(), atol=1e-5)
