"""Events and observers: the line of each event in ``log.jsonl``, what each observer shows of it, and observers that fail."""

from __future__ import annotations

import dataclasses
import inspect
import io
import json
import re
from pathlib import Path

import pytest

import polymodal as pm
from builders.tables import FAST, shop
from polymodal.training.console import Console
from polymodal.training.events import (
    CellEvent,
    CheckpointEvent,
    DeviceEvent,
    EndEvent,
    EpochEvent,
    Event,
    FieldFigures,
    MemberEvent,
    ModelEvent,
    NoteEvent,
    PlanEvent,
    ResumeEvent,
    SearchEvent,
    StartEvent,
    StepEvent,
    TrialEvent,
    UndefinedEvent,
    VotesEvent,
    WarningEvent,
)  # fmt: skip
from polymodal.training.observers import JsonLines, Observer, Observers

BEGUN = ("0.1.0", "2.13.0", "3.11.7", 2, "shop.csv", 90, 3)
FIGURES = FieldFigures(loss=0.5, held_out=0.6, gradient=None, step=1.0)
EPOCH = EpochEvent(
    "fused", 1, 4, loss=0.25, seconds=1.5, rows_per_second=60.0, waiting=0.02, complete=True, monitor=0.2, best=True,
    shown={"log_loss": 0.2, "accuracy": None}, metrics={"y": {"log_loss": 0.2, "accuracy": float("nan")}}, fields={"title": FIGURES},
)  # fmt: skip
STEP = StepEvent("fused", 1, 4, step=2, steps=5, loss=0.25, rows_per_second=60.0, waiting=0.02)

LINES: dict[type[Event], tuple[Event, str | None]] = {
    StartEvent: (
        StartEvent(*BEGUN, time_limit=None),
        '"polymodal": "0.1.0", "torch": "2.13.0", "python": "3.11.7", "threads": 2, "table": "shop.csv", "rows": 90, "seed": 3, '
        '"time_limit": null',
    ),
    ResumeEvent: (
        ResumeEvent(*BEGUN, time_limit=60.0),
        '"polymodal": "0.1.0", "torch": "2.13.0", "python": "3.11.7", "threads": 2, "table": "shop.csv", "rows": 90, "seed": 3, '
        '"time_limit": 60.0',
    ),
    NoteEvent: (NoteEvent("目标 is binary"), '"text": "目标 is binary", "detail": false'),
    WarningEvent: (WarningEvent("slow"), '"text": "slow"'),
    DeviceEvent: (DeviceEvent("cpu", "float32"), '"device": "cpu", "precision": "float32"'),
    PlanEvent: (
        PlanEvent(5, 1, 4, {"": 0.5}, 2.5, work={"": 3.0, "title": 1.0}),
        '"members": 5, "baseline_members": 1, "epochs": 4, "share": {"": 0.5}, "trees": 2.5, "networks": 1, "work": {"": 3.0, "title": 1.0}',
    ),
    ModelEvent: (
        ModelEvent("fused", "", 4, trained=False), '"name": "fused", "field": "", "epochs": 4, "trained": false'
    ),
    StepEvent: (STEP, None),
    EpochEvent: (
        EPOCH,
        '"name": "fused", "epoch": 1, "epochs": 4, "loss": 0.25, "seconds": 1.5, "rows_per_second": 60.0, "waiting": 0.02, '
        '"complete": true, "monitor": 0.2, "best": true, "shown": {"log_loss": 0.2, "accuracy": null}, '
        '"metrics": {"y": {"log_loss": 0.2, "accuracy": null}}, '
        '"fields": {"title": {"loss": 0.5, "held_out": 0.6, "gradient": null, "step": 1.0}}',
    ),
    CheckpointEvent: (CheckpointEvent("fused", 8, 0.01), '"name": "fused", "step": 8, "seconds": 0.01'),
    MemberEvent: (
        MemberEvent("fused", 4, 0.2, "all epochs done", 1.5),
        '"name": "fused", "epoch": 4, "monitor": 0.2, "stopped": "all epochs done", "seconds": 1.5',
    ),
    VotesEvent: (
        VotesEvent("y", ["title"], {"fused": 1.0, "title": 0.5}),
        '"task": "y", "fields": ["title"], "weights": {"fused": 1.0, "title": 0.5}',
    ),
    UndefinedEvent: (UndefinedEvent("roc_auc", "one class"), '"metric": "roc_auc", "reason": "one class"'),
    CellEvent: (
        CellEvent("round", "concat", 0, 1, float("-inf"), {"y": None}, 3, 8, 1.5, ""),
        '"stage": "round", "name": "concat", "trial": 0, "round": 1, "worth": null, "scores": {"y": null}, "done": 3, "total": 8, '
        '"seconds": 1.5, "failed": ""',
    ),
    SearchEvent: (SearchEvent(9, ["training.lr"]), '"trials": 9, "paths": ["training.lr"]'),
    TrialEvent: (
        TrialEvent(2, {"training.lr": 0.1}, "pruned", "accuracy", None, "after epoch 3", 3, 1.5, False, 9),
        '"number": 2, "settings": {"training.lr": 0.1}, "state": "pruned", "metric": "accuracy", "value": null, '
        '"reason": "after epoch 3", "epochs": 3, "seconds": 1.5, "best": false, "total": 9',
    ),
    EndEvent: (
        EndEvent({"fused": 1.0, "total": 2.0}, {"rows": 9, "tasks": {}}, ""),
        '"seconds": {"fused": 1.0, "total": 2.0}, "validation": {"rows": 9, "tasks": {}}, "finding": ""',
    ),
}  # fmt: skip


DOCUMENTED: list[Event | FieldFigures] = [*(event for event, _ in LINES.values()), FIGURES]


def classes(base: type[Event] = Event) -> list[type[Event]]:
    """Return all classes of events of the package."""
    below = [one for one in base.__subclasses__() if one.__module__.startswith("polymodal.")]
    return [*below, *(other for one in below for other in classes(one))]


def test_every_class_of_events_is_here_and_public() -> None:
    assert set(LINES) == set(classes())
    every: list[type[Event]] = [Event, *classes()]
    for event in every:
        assert getattr(pm, event.__name__) is event


@pytest.mark.parametrize("kind", LINES, ids=lambda kind: kind.kind)
def test_the_line_of_an_event_has_its_keys_in_their_order(kind: type[Event], tmp_path: Path) -> None:
    event, expected = LINES[kind]
    log = JsonLines(tmp_path / "log.jsonl")
    log.observe(event)
    log.close()
    body = (tmp_path / "log.jsonl").read_text(encoding="utf-8")
    if expected is None:
        assert body == ""
    else:
        line = re.sub(r'"time": [\d.]+, ', "", body, count=1)
        assert line == f'{{"event": "{kind.kind}", {expected}}}\n'


@pytest.mark.parametrize("event", DOCUMENTED, ids=[type(event).__name__ for event in DOCUMENTED])
def test_every_event_is_frozen_and_documents_its_fields(event: Event | FieldFigures) -> None:
    text, names = inspect.getdoc(type(event)) or "", [field.name for field in dataclasses.fields(event)]
    assert text.split("\n")[0].endswith(".")
    if not isinstance(event, ResumeEvent):  # which refers to the fields of ``StartEvent``
        assert re.findall(r"^:param (\w+):", text, re.M) == names
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(event, names[0], "other")


def test_kinds_of_events_are_distinct() -> None:
    kinds = [event.kind for event in classes()]
    assert len(kinds) == len(set(kinds))


def test_an_epoch_survives_its_checkpoint() -> None:
    event = dataclasses.replace(EPOCH, metrics={"y": {"log_loss": 0.2, "accuracy": None}})
    assert EpochEvent.of(json.loads(json.dumps(event.facts()))) == event


def test_the_console_shows_epochs_notes_and_warnings() -> None:
    stream = io.StringIO()
    console = Console(stream)
    for event, _ in LINES.values():
        console.observe(event)
    assert [re.sub(r"  \d+ s left$", "", line) for line in stream.getvalue().splitlines()] == [
        "目标 is binary",
        "warning: slow",
        "models, each with its metric on the rows that select its epoch, and its seconds:",
        "  1/6  fused                 log_loss 0.2000  epoch 4/4     1.5 s",
        "trainings, each with its metric on the rows that select:",
        "  3/8  round 2          -inf      1.5 s  concat",
        "trials, each with its metric on validation rows and its settings:",
        "  3/9  trial 2  pruned  training.lr=0.1   1.5 s  after epoch 3",
    ]


def test_an_event_of_ones_own_is_logged_and_passed_on(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Own(Event):
        kind = "own"
        number: int

    received: list[Event] = []

    class Receives(Observer):
        def observe(self, event: Event) -> None:
            received.append(event)

    log = JsonLines(tmp_path / "log.jsonl")
    both = Observers([log, Console(io.StringIO()), Receives()])
    both.observe(Own(7))
    both.close()
    assert received == [Own(7)]
    line = json.loads((tmp_path / "log.jsonl").read_text())
    assert (line["event"], line["number"]) == ("own", 7)


@pytest.mark.parametrize("kind", [StartEvent, NoteEvent, StepEvent, EpochEvent, EndEvent], ids=lambda kind: kind.kind)
def test_an_exception_of_an_observer_ends_the_run(kind: type[Event], tmp_path: Path) -> None:
    class Fails(Observer):
        closed = False

        def observe(self, event: Event) -> None:
            if type(event) is kind:
                raise ZeroDivisionError(kind.kind)

        def close(self) -> None:
            self.closed = True

    observer = Fails()
    with pytest.raises(ZeroDivisionError, match=kind.kind):
        pm.train(shop(tmp_path), *FAST, "training.epochs=1", target="label", out=tmp_path / "run", observers=[observer])
    assert observer.closed
    events = [json.loads(line)["event"] for line in (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    if kind is StepEvent:
        assert events[-1] == "model"
    else:
        assert events[-1] == kind.kind, "the log is written before other observers are called"
