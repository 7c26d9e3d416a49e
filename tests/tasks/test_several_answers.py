"""Tests of answers of several people: their normalisation, the accuracy of an answer, the vocabulary, the loss, and a whole run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import polymodal as pm
from builders.tables import sentence, write_csv
from builders.tasks import answers
from polymodal.errors import DataError, Fault
from polymodal.tasks import RULES, Answers, AnswersConfig, Multilabel, TargetFacts, Task, constant
from polymodal.tasks.answer_texts import accuracies, normalised
from polymodal.tasks.answers import given_in
from polymodal.tasks.voting import fit_weights

CONFIG = AnswersConfig(column="y")


# -- texts ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes", "yes"), (" The  Red\tcar. ", "red car"), ("an apple", "apple"), ("two", "2"), ("None", "0"), ("ten dogs", "10 dogs"),
        ("1,000", "1000"), ("1,000 black/white", "1000 blackwhite"), ("black/white", "black white"), ("black / white", "black white"),
        ("t-shirt", "t shirt"), ("no, thanks!", "no thanks"), ("3.5", "3.5"), ("dr.", "dr"), ("don\u2019t", "don't"), ("dont know", "don't know"),
        ("shed", "shed"), ("A", "a"), ("the", "the"), ("?!", "?!"), ("", ""), ("红色", "红色"), ("10:30", "10:30"),
    ],
)  # fmt: skip
def test_texts_are_normalised(text: str, expected: str) -> None:
    assert normalised(text) == expected
    assert normalised(expected) == expected


def test_the_accuracy_is_the_mean_over_all_people_but_one() -> None:
    def by_definition(people: list[str], answer: str) -> float:
        others = [people[:at] + people[at + 1 :] for at in range(len(people))]
        return float(np.mean([min(1, sum(one == answer for one in some) / 3) for some in others]))

    for people in (4, 5, 10, 17):
        for count in range(people + 1):
            expected = by_definition(["x"] * count + ["y"] * (people - count), "x")
            assert accuracies(np.array(count), np.array(people)) == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(accuracies(np.arange(6), np.full(6, 10)), [0, 0.3, 0.6, 0.9, 1, 1])
    np.testing.assert_allclose(
        accuracies(np.array([0, 1, 1, 2, 1, 2, 3]), np.array([1, 1, 2, 2, 3, 3, 3])), [0, 1, 0.5, 1, 1 / 3, 2 / 3, 1]
    )


# -- cells ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('["Yes", "yes.", "No"]', {"yes": 2, "no": 1}), (["a", None, "a", ""], {"a": 2}), ("yes;no;yes;", {"yes": 2, "no": 1}),
        ('{"yes": 7, "no": 3, "maybe": 0}', {"yes": 7, "no": 3}), ({"yes": 2.0}, {"yes": 2}), ("yes:7; no : 3", {"yes": 7, "no": 3}),
        ("yes:10", {"yes": 10}), ("16:9", {"16:9": 1}), ('["16:9", "16:9"]', {"16:9": 2}), ("3:5;4:2", {"3": 5, "4": 2}), ([2, 2.0, "two"], {"2": 3}),
        ([{"answer": "The cat", "answer_id": 1}, {"answer": "cat", "answer_id": 2}], {"cat": 2}), ("['a', 'b']", {"a": 1, "b": 1}),
        (np.array(["a", "a"]), {"a": 2}), ("红;红;绿", {"红": 2, "绿": 1}), ([True, "true"], {"True": 2}), ("A", {"a": 1}),
    ],
)  # fmt: skip
def test_answers_in_a_cell(cell: Any, expected: dict[str, int]) -> None:
    assert given_in(cell, CONFIG) == expected


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([], "no answer"), ("[]", "no answer"), (";", "no answer"), ('{"yes": 0}', "no answer"), ({"yes": 0.5}, "found 0.5 people"),
        ({"yes": -1}, "found -1 people"), ({"yes": float("inf")}, "found inf people"), ({"yes": float("nan")}, "found nan people"),
        ({"yes": True}, "found True people"), ({"yes": "7"}, "found 7 people"), ({"yes": 10**400}, "expected a whole number"), (b"yes", "found bytes"),
        ([["yes"]], "found list"), ([{"reply": "x"}], "found dict"), (["x" * 6_000], "a name of 6,000 characters"), ("['a' 'b' ... 'c']", "left out"),
        ("yes:9999999", "found 9,999,999 people with one answer"),
    ],
)  # fmt: skip
def test_cells_without_answers_are_faults(cell: Any, message: str) -> None:
    with pytest.raises(Fault, match=message):
        given_in(cell, CONFIG)


def test_the_spelling_stays_if_it_is_to() -> None:
    assert given_in(["The Cat", "the cat"], AnswersConfig(column="y", normalise=False)) == {"The Cat": 1, "the cat": 1}


# -- the task ------------------------------------------------------------------------------------------------------------

PEOPLE = [["a", "a", "b", "x1"], ["b", "b", "c", "c"], ["a", "c"], {"a": 8, "d": 2}, ["d"]]


def test_the_vocabulary() -> None:
    task = answers(PEOPLE)
    assert task.classes == ["a", "b", "c", "d"]
    assert task.state["counts"] == [3, 2, 2, 2]
    assert task.state["rows"] == 5
    assert task.state["people"] == 4.2
    assert task.state["covered"] == pytest.approx(20 / 21, abs=1e-4)
    assert answers(PEOPLE, least_rows=1).outputs == 5
    assert answers(PEOPLE, most_answers=2).classes == ["a", "b"], "of equally frequent answers in as many rows, the first by name"
    assert answers([[3, "three"], [4, 3], [4]]).classes == [3, 4]
    assert "4 answers: a 60%, b 40%" in task.describe()
    assert "4.2 people a row, 95% of whose answers are among these" in task.describe()
    with pytest.raises(DataError, match=r"t.csv, column 'y': 1 of 3 different answers are in 2 rows or more.*lower tasks"):
        answers([["a", "b"], ["a", "c"]])
    with pytest.raises(DataError, match="found bytes"):
        answers([b"a", b"b"])


def test_a_target_holds_the_people_and_their_answers() -> None:
    task = answers(PEOPLE)
    assert task.target_width == 21
    assert task.encode(["c", "a", "a", "other"])[:7].tolist() == [4, 0, 2, 2, 1, 0, 0]
    target = np.stack([task.encode(cell) for cell in (["a"], ["other"], PEOPLE[3])])
    assert task.known(target).tolist() == [True, False, True]
    assert task.class_counts(target).tolist() == [2, 0, 0, 1]
    many = {f"w{at}": 1 + at for at in range(150)}
    crowd = answers([many, many])
    kept = crowd.encode(many)
    assert crowd.state["kept"] == 100
    assert kept[0] == sum(many.values())
    assert kept[2::2].min() == 51, "of more answers than a target holds, the most frequent ones are kept"


def test_metrics_are_known() -> None:
    task = answers([["a", "b"], ["a", "b"]])
    target = np.stack([task.encode(cell) for cell in ({"a": 8, "b": 2}, {"b": 2, "other": 8}, {"other": 10}, {"a": 5, "b": 5})])
    scores = np.array([[0.75, 0.25], [0.25, 0.75], [0.5, 0.5], [0.4, 0.6]])
    values, reasons = task.measure(target, scores)
    assert reasons == {}
    assert values["vqa_accuracy"] == pytest.approx((1 + 0.6 + 0 + 1) / 4)
    assert values["accuracy"] == pytest.approx((1 + 1 + 0 + 1) / 4), "the most frequent answer of the vocabulary, also of equals"
    losses = [-0.8 * np.log(0.75) - 0.2 * np.log(0.25), -np.log(0.75), -0.5 * np.log(0.4) - 0.5 * np.log(0.6)]
    assert values["log_loss"] == pytest.approx(np.mean(losses))
    right, confidence = task.confidence(target, scores)
    assert len(right) == 22
    assert right.sum() == 8 + 2 + 5
    assert confidence.sum() == pytest.approx(10 * 0.75 + 2 * 0.75 + 10 * 0.6)
    np.testing.assert_allclose(task.errors(target, scores), [0.25, 0.25, 1.0, 0.6])
    nobody, reasons = task.measure(target[2:3], scores[2:3])
    assert nobody == {"vqa_accuracy": 0.0, "accuracy": 0.0, "log_loss": None, "ece": None}
    assert set(reasons) == {"log_loss", "ece"}
    assert list(task.values(scores)) == ["a", "b", "a", "b"]
    assert task.judged_by == "vqa_accuracy"


def test_the_derivatives_of_the_loss() -> None:
    task = answers(PEOPLE)
    target = torch.from_numpy(np.stack([task.encode(cell) for cell in (*PEOPLE, ["other"])])).double()
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slope = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    share = torch.tensor([[2 / 3, 1 / 3, 0, 0]], dtype=torch.float64)
    assert float(task.plain_losses(logits[:1], target[:1])) == pytest.approx(float(-(share * logits[:1].log_softmax(1)).sum()))
    assert float(task.plain_losses(logits[5:], target[5:])) == 0
    torch.testing.assert_close(task.plain_gradient(logits, target), Task.plain_gradient(task, logits, target))
    torch.testing.assert_close(task.plain_curvature(logits, target, slope), Task.plain_curvature(task, logits, target, slope))
    best, loss = constant(task, target[:5].numpy())
    by_search = Task.constant_logits(task, target[:5])
    assert loss == pytest.approx(float(task.plain_losses(by_search.double().expand(5, -1), target[:5]).mean()), abs=1e-4)
    assert best.argmax() == 0
    weights = fit_weights(task, [(50 * share).numpy().repeat(64, 0)], target[:1].numpy().repeat(64, 0), [np.ones(64, bool)])
    assert 0 < weights[0] < 1, "people disagree, so a vote that is certain is scaled down"
    assert RULES["evidential"].refusal(Answers)


@pytest.mark.parametrize(
    "change", [{"kept": 9}, {"kept": 101}, {"kept": 10.0}, {"rows": 0}, {"people": "4"}, {"covered": float("nan")}, {"classes": ["a"]}, {"counts": [1]},
               {"labels": [1, 2, 3, 4]}, {"missing": [1]}],
)  # fmt: skip
def test_a_state_that_fit_cannot_have_made_is_refused(change: dict[str, Any]) -> None:
    task = answers(PEOPLE)
    task.check()
    with pytest.raises(ValueError, match=r"\w"):
        Answers(task.config, task.state | change).check()


def kind_of(cells: list[Any]) -> str:
    facts = TargetFacts()
    for cell in cells:
        facts.add(cell)
    facts.close()
    return max((Answers, Multilabel), key=lambda task: task.recognise(facts)[0]).__name__ if Multilabel.recognise(facts)[0] else ""


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (['["yes", "yes", "no"]', '["no", "no", "no"]', '["a", "b", "b"]'] * 5, "Answers"),
        ([["yes", "yes"], ["no", "no"], ["a", "b"]] * 5, "Answers"),
        (['["red", "big"]', '["red"]', '["big", "old"]'] * 5, "Multilabel"),
        ([["red", "big"]] * 9 + [["red", "red"]], "Multilabel"),
        ([[1, 1, 0], [0, 1, 1]] * 5, "Multilabel"),
        (['["0", "1", "1"]', '["1", "1", "0"]'] * 5, "Multilabel"),
        (["a;a;b", "b;b;c"] * 5, "Multilabel"),
        (["yes", "no"] * 5, ""),
    ],
)
def test_lists_in_which_texts_recur_are_answers(cells: list[Any], kind: str) -> None:
    assert kind_of(cells) == kind


def test_a_run_from_a_table_to_predictions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for at in range(120):
        word = ("lemon", "tiger")[at % 2]
        people = [("Yes", "no")[at % 2] if rng.random() < 0.8 else "the other" for _ in range(10)]
        rows.append([sentence(rng, word), json.dumps([*people[:9], f"once {at}"])])
    table = write_csv(tmp_path / "t.csv", ["text", "said"], rows)
    found = pm.inspect(table, target="said")
    assert found.experiment is not None
    assert found.experiment.tasks["said"].kind == "answers"
    settings = ("training.epochs=6", "data.split.folds=2", "training.baselines=false", "model.width=16", "fields.text.kind=text")
    model = pm.train(table, *settings, target="said", out=tmp_path / "run")
    assert list(model.classes) == ["no", "other", "yes"]
    assert set(model.predict([{"text": "stone lemon"}])) <= {"yes", "no", "other"}
    np.testing.assert_allclose(model.predict_proba([{"text": "stone lemon"}]).sum(1), 1, atol=1e-6)
    metrics = pm.evaluate(model, table)
    measured = metrics["tasks"]["said"]
    assert measured["vqa_accuracy"] > 0.85
    log = (tmp_path / "run" / "log.jsonl").read_text()
    assert "fewer than" not in log, "rare answers are left out of the vocabulary, and not reported as rare classes"
