"""The answers of several people to one question, such as those of ten annotators in visual question answering (Antol et al. 2015,
arXiv:1505.00468): people may disagree, and the model learns how many of them give each answer.

A cell is a list of answers, or a mapping from answers to the numbers of people who gave them; as text ``["yes", "yes", "no"]``,
``{"yes": 2, "no": 1}``, ``yes;yes;no`` or ``yes:2;no:1``. The classes are the answers that several training rows have. The loss is the
cross-entropy with the shares of the people, as in Kazemi and Elqursh (2017, arXiv:1704.03162): it is least where the probability of each
answer is the share of people who give it, so probabilities sum to 1, can be calibrated, and make prediction sets.

Shapes: ``N`` rows, ``C`` answers of the vocabulary, ``K`` different answers in a cell. A target contains the number of people, and for each
of K answers its index and the number of people who gave it, T = 1 + 2 K.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from pydantic import Field as Setting
from torch import Tensor

from ..cells import is_empty, text_of
from ..errors import DataError, Fault
from ..flow import Cell, State
from ..language import Sentence
from . import classes as naming
from . import curves as plotting
from . import influence, softmax
from .answer_texts import accuracies, normalised
from .classes import shares_text
from .facts import TargetFacts, parts_of, reading_of
from .metrics import Metric, Metrics, ece
from .names import name_of
from .reading import Reading
from .task import Task, TaskConfig

_FEWEST_KEPT, _MOST_KEPT = 10, 100
"""The limits of K, the number of different answers of a cell in its target; of more answers, the most frequent ones are kept."""
_MOST_PEOPLE = 1_000_000
"""The maximum number of people of one answer: float32 represents such numbers exactly."""
_MOST_DIFFERENT = 1_000_000
_MOST_TRIALS = 100
"""The maximum number of people of a row on whom calibration is measured."""
_COUNTED = re.compile(r"(.*\S)\s*:\s*(\d{1,7})\s*", re.DOTALL)


class AnswersConfig(TaskConfig):
    """The settings of a target of answers of several people."""

    kind: Literal["answers"] = "answers"
    metric: Literal["vqa_accuracy", "accuracy", "log_loss", "ece"] | None = None
    """The metric that decides when training stops; null = log_loss."""
    separator: str = Setting(";", min_length=1)
    """The separator of answers in text."""
    least_rows: int = Setting(2, ge=1)
    """The number of training rows that must have an answer for it to be in the vocabulary."""
    most_answers: int = Setting(3_000, ge=2, le=naming.MOST)
    """The maximum number of answers in the vocabulary; the most frequent ones are kept."""
    normalise: bool = True
    """Whether answers are compared and predicted in lower case, without articles and punctuation, and with digits for number words."""

    @classmethod
    def task(cls) -> type[Task]:
        """Return the class of this task, ``Answers``."""
        return Answers


class Answers(Task):
    """A logit for each answer of the vocabulary; ``scores`` are (N, C), the probabilities that a person gives each answer. The most
    probable answer is predicted."""

    has_classes = True
    has_sets = True
    cells_are_lists = True
    has_vocabulary = True
    metrics = (
        Metric("vqa_accuracy", is_percentage=True),
        Metric("accuracy", is_percentage=True),
        Metric("log_loss", larger_is_better=False, high=float("inf")),
        Metric("ece", larger_is_better=False, rewards_learning=False),
    )
    default_metric = "log_loss"

    @classmethod
    def recognise(cls, facts: TargetFacts) -> tuple[float, str]:
        """Return 1.0 for a column of lists of texts, at least half of which contain a text twice."""
        lists = facts.lists + facts.listed
        if facts.places is None and facts.are_lists and 2 * facts.repeats >= max(lists, 1):
            return 1.0, Sentence("target.answers")
        return 0.0, ""

    @property
    def outputs(self) -> int:
        """The number of answers in the vocabulary, C."""
        return len(self.state["classes"])

    @property
    def target_width(self) -> int:
        """T, the number of people, and an index and a number of people for each of K answers."""
        return 1 + 2 * int(self.state["kept"])

    @property
    def classes(self) -> list[Any]:
        """The answers of the vocabulary in the order of ``scores``; integers if all of them are."""
        return naming.labels_of_state(self.state)

    @classmethod
    def fit(cls, config: AnswersConfig, cells: Iterable[Cell], place: str, reading: Reading | None = None) -> State:
        """Learn ``classes`` (the vocabulary), ``counts`` (the rows of each answer), ``rows``, ``people`` (their mean number in a row),
        ``covered`` (the share of their answers that is in the vocabulary), ``kept`` (K), ``labels`` and ``missing``."""
        reading, cells = reading_of(config, cells, reading)
        rows_of: Counter[str] = Counter()
        people_of: Counter[str] = Counter()
        rows = most = 0
        first: Fault | None = None
        for cell in cells:
            try:
                given = given_in(cell, config)
            except Fault as fault:  # single cells are reported in faults.csv; if all are faults, nothing can be learned
                first = first or fault
                continue
            rows, most = rows + 1, max(most, len(given))
            rows_of.update(given.keys())
            people_of.update(given)
            if len(rows_of) > _MOST_DIFFERENT:
                raise DataError(f"{place}: over {_MOST_DIFFERENT:,} different answers; expected short answers that recur")
        if first is not None and not rows:
            raise DataError(f"{place}: {first}; set tasks.*.kind")
        often = [answer for answer, count in rows_of.items() if count >= config.least_rows]
        if len(often) < 2:
            raise DataError(
                f"{place}: {len(often)} of {len(rows_of):,} different answers are in {config.least_rows} rows or more; expected at least "
                f"two; choose another target, or lower tasks.*.least_rows"
            )
        often = sorted(often, key=lambda answer: (-people_of[answer], -rows_of[answer], answer))[: config.most_answers]
        names, total = naming.ordered(often), people_of.total()
        return {
            "classes": names,
            "counts": [rows_of[name] for name in names],
            "rows": rows,
            "people": round(total / rows, 4),
            "covered": round(sum(people_of[name] for name in names) / total, 4),
            "kept": min(max(most, _FEWEST_KEPT), _MOST_KEPT),
            "labels": naming.typed(names),
            "missing": sorted(reading.missing),
        }

    def check(self) -> None:
        """Raise ``ValueError`` unless names and counts are valid and as many, and the other facts are numbers within their limits."""
        naming.check(self.state, 2)
        self.check_reading()
        kept, rows, shares = self.state["kept"], self.state["rows"], (self.state["people"], self.state["covered"])
        if type(kept) is not int or not _FEWEST_KEPT <= kept <= _MOST_KEPT or type(rows) is not int or rows < 1:
            raise ValueError(f"{kept} answers of a cell in {rows} rows")
        if not all(type(share) in (int, float) and 0 <= share <= _MOST_PEOPLE * _MOST_KEPT for share in shares):
            raise ValueError(f"{shares} people and covered answers")

    def encode(self, cell: Cell) -> np.ndarray:
        """Return the number of people, then the index of each of their answers with its number of people, the most frequent first, float32
        (T,). Answers outside the vocabulary count in the number of people only."""
        given = given_in(cell, self.config)
        known = sorted(((-count, self._index[name]) for name, count in given.items() if name in self._index))
        target = np.zeros(self.target_width, np.float32)
        target[0] = sum(given.values())
        for at, (count, index) in enumerate(known[: self.state["kept"]]):
            target[1 + 2 * at : 3 + 2 * at] = index, -count
        return target

    @classmethod
    def names(cls, config: AnswersConfig, reading: Reading, cell: Cell) -> Collection[str]:
        """Return the most frequent answer in a cell; of equally frequent ones the first in alphabetical order."""
        given = given_in(cell, config)
        return [min(given, key=lambda name: (-given[name], name))]

    @cached_property
    def _index(self) -> dict[str, int]:
        """The index of each answer of the vocabulary by name."""
        return {name: at for at, name in enumerate(self.state["classes"])}

    def known(self, target_NT: np.ndarray) -> np.ndarray:
        """Return which rows have an answer of the vocabulary, bool (N,)."""
        return np.asarray((target_NT[:, 2::2] > 0).any(1))  # NaN is not

    def class_counts(self, target_NT: np.ndarray) -> np.ndarray:
        """Return the number of rows in which somebody gives each answer, (C,)."""
        given_NK = target_NT[:, 2::2] > 0
        return np.bincount(target_NT[:, 1::2][given_NK].astype(np.int64), minlength=self.outputs)

    # -- the loss --------------------------------------------------------------------------------------------------

    def _shares(self, target_NT: Tensor) -> Tensor:
        """Return the share of each answer among the answers of the vocabulary, (N, C); zeros for a row without any."""
        index_NK, count_NK = target_NT[:, 1::2].long().clamp(0, self.outputs - 1), target_NT[:, 2::2]
        count_NC = count_NK.new_zeros(len(count_NK), self.outputs).scatter_add(1, index_NK, count_NK)
        return count_NC / count_NK.sum(1, keepdim=True).clamp(min=1)

    def losses(self, logits_BC: Tensor, target_BT: Tensor) -> Tensor:
        """Return the cross-entropy with the shares of the people, (B,); 0 without an answer of the vocabulary."""
        return self.plain_losses(logits_BC, self.filled(target_BT))

    def plain_losses(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Return the cross-entropy (N,) of logits (N, C) with the shares of the people."""
        return -(self._shares(target_NT).to(logits_NC.dtype) * logits_NC.log_softmax(1)).sum(1)

    def plain_gradient(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Return the probability of each answer minus the share of people who give it, (N, C)."""
        share_NC = self._shares(target_NT).to(logits_NC.dtype)
        return logits_NC.softmax(1) * share_NC.sum(1, keepdim=True) - share_NC

    def plain_curvature(self, logits_NC: Tensor, target_NT: Tensor, slope_VNC: Tensor) -> Tensor:
        """Return the second derivatives (V, V) of a softmax, over rows with an answer of the vocabulary."""
        counted_N = (target_NT[:, 2::2] > 0).any(1).to(slope_VNC.dtype)
        return softmax.curvature(logits_NC, slope_VNC * counted_N[:, None])

    def constant_logits(self, target_NT: Tensor) -> Tensor:
        """Return the logarithm of the mean share of each answer, (C,)."""
        return self._shares(target_NT).mean(0).clamp(min=1e-6).log()

    # -- predictions -----------------------------------------------------------------------------------------------

    def scores(self, logits_NC: Tensor) -> Tensor:
        """Return the softmax of the logits."""
        return logits_NC.softmax(-1)

    def log_chances(self, logits_NC: Tensor, label: int) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the probability of one answer, and of all others together."""
        return softmax.log_chances(logits_NC, label)

    def values(self, scores_NC: np.ndarray) -> np.ndarray:
        """Return the most probable answer of each row, (N,)."""
        return naming.array_of(self.classes, scores_NC.argmax(1))

    # -- evaluation ------------------------------------------------------------------------------------------------

    def measure(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
        """Return the metrics. A row whose answers are all outside the vocabulary counts as predicted incorrectly, and is excluded from
        metrics of probabilities."""
        values: Metrics = {name: float(self._values(name, target_NT, scores_NC).mean()) for name in ("vqa_accuracy", "accuracy")}
        if not self.known(target_NT).any():
            reason = Sentence("undefined.no_answer")
            return values | {"log_loss": None, "ece": None}, {"log_loss": reason, "ece": reason}
        values["log_loss"] = float(self._values("log_loss", target_NT, scores_NC).mean())
        values["ece"] = ece(*self.confidence(target_NT, scores_NC))
        return values, {}

    def _values(self, metric: str, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return the value of each row for a metric that is their mean, float64: (N,), or for ``log_loss`` that of each row with an answer
        of the vocabulary."""
        index_NK, count_NK = target_NT[:, 1::2].astype(np.int64), target_NT[:, 2::2].astype(np.float64)
        if metric == "log_loss":
            known_N = self.known(target_NT)
            logs_NK = np.log(np.clip(np.take_along_axis(scores_NC[known_N], index_NK[known_N], 1).astype(np.float64), 1e-7, 1.0))
            return np.asarray(-(count_NK[known_N] * logs_NK).sum(1) / count_NK[known_N].sum(1))
        count_N = (count_NK * (index_NK == scores_NC.argmax(1)[:, None])).sum(1)
        if metric == "accuracy":
            return np.asarray((count_N > 0) & (count_N == count_NK.max(1)), np.float64)
        return accuracies(count_N, target_NT[:, 0])

    def curves(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> plotting.Curves:
        """Return the confusion matrix and the curves of the most frequent answer of each row, and the calibration curve over people."""
        data = plotting.classification(self.classes, self._most_frequent(target_NT), scores_NC)
        return data | {"calibration": plotting.calibration(*self.confidence(target_NT, scores_NC))}

    def confidence(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each person whose answer is in the vocabulary, whether it is the predicted one, and the probability of the
        prediction. A row has at most 100 persons here, in proportion to its shares."""
        right_P, confidence_P, _ = self._people(target_NT, scores_NC)
        return right_P, confidence_P

    def _people(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the two results of ``confidence``, and the row of each person."""
        index_NK, count_NK = target_NT[:, 1::2].astype(np.int64), target_NT[:, 2::2]
        people_N = count_NK.sum(1)
        share_N = (count_NK * (index_NK == scores_NC.argmax(1)[:, None])).sum(1) / np.maximum(people_N, 1)
        trials_N = np.minimum(people_N, _MOST_TRIALS).astype(np.int64)
        row_P = np.repeat(np.arange(len(trials_N)), trials_N)
        number_P = np.arange(len(row_P)) - (np.cumsum(trials_N) - trials_N)[row_P]
        return number_P < np.rint(share_N * trials_N)[row_P], scores_NC.max(1)[row_P], row_P

    def errors(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return 1 - the probability of the most frequent answer, (N,); 1 if no answer is in the vocabulary."""
        return plotting.doubt(self._most_frequent(target_NT), scores_NC)

    def influence(self, metric: str, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return the influence of each row on a metric; for a mean over rows, its value minus the mean."""
        if metric == "ece":
            return influence.ece(*self._people(target_NT, scores_NC), len(target_NT))
        rows_N = self.known(target_NT) if metric == "log_loss" else np.ones(len(target_NT), bool)
        influence_N = np.zeros(len(target_NT))
        influence_N[rows_N] = influence.centred(self._values(metric, target_NT, scores_NC)) * (len(target_NT) / max(rows_N.sum(), 1))
        return influence_N

    def _most_frequent(self, target_NT: np.ndarray) -> np.ndarray:
        """Return the index of the most frequent answer of each row, (N,); -1 if no answer is in the vocabulary."""
        return np.where(self.known(target_NT), target_NT[:, 1], -1)

    def describe(self) -> str:
        """Return the size of the vocabulary, and the most frequent answers with their shares of the rows."""
        shown = shares_text(zip(self.state["classes"], self.state["counts"], strict=True), self.state["rows"])
        values = {"people": self.state["people"], "covered": self.state["covered"]}
        return Sentence("describe.answers", count=len(self.state["classes"]), shown=shown, **values)


def given_in(cell: Cell, config: AnswersConfig) -> dict[str, int]:
    """Return the number of people who gave each answer in a cell, by the answer's name.

    :raises Fault: the cell contains no answer, or no answers and numbers
    """
    given: Counter[str] = Counter()
    for answer, count in _counted(cell, config.separator):
        if is_empty(answer) or not count:
            continue
        name = _name_of(str(answer), config.normalise) if isinstance(answer, (str, bool)) else name_of(answer)
        if name:
            given[name] += count
    if not given:
        raise Fault("no answer; expected at least one")
    if max(given.values()) > _MOST_PEOPLE:
        raise Fault(f"found {max(given.values()):,} people with one answer; expected at most {_MOST_PEOPLE:,}")
    return dict(given)


@lru_cache(2**14)
def _name_of(text: str, is_normalised: bool) -> str:
    """Return the name of an answer; answers recur in many cells."""
    return name_of(normalised(text) if is_normalised else text)


def _counted(cell: Cell, separator: str) -> Iterable[tuple[Any, int]]:
    """Yield the answers in a cell, each with a number of people. A text ``16:9`` is an answer, not nine people with the answer 16."""
    parts = parts_of(cell, separator)
    if isinstance(parts, dict):
        for answer, count in parts.items():
            is_number = isinstance(count, (int, float, np.number)) and not isinstance(count, (bool, np.bool_))
            if not is_number or not 0 <= count <= _MOST_PEOPLE or count != int(count):
                raise Fault(f"found {text_of(count)[:40]} people with the answer {text_of(answer)[:40]!r}; expected a whole number")
            yield answer, int(count)
        return
    if isinstance(cell, str) and parts and parts == cell.split(separator):
        texts = [part for part in parts if part.strip()]
        counted = [match for part in texts if (match := _COUNTED.fullmatch(part)) is not None]
        if len(counted) == len(texts) and not (len(texts) == 1 and counted[0][1].strip().isdecimal()):
            yield from ((match[1].strip(), int(match[2])) for match in counted)
            return
    for part in parts:  # an annotation file of visual question answering lists mappings
        yield part["answer"] if isinstance(part, Mapping) and "answer" in part else part, 1
