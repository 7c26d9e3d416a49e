"""One training run, from an experiment to a bundle.

prepare -> plan -> members -> votes -> measure -> baselines -> bundle -> test.
"""

from __future__ import annotations

import errno
import json
import platform
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__, report
from ..bundle import Bundle
from ..config import explain, quote
from ..data.class_notes import unknown_line
from ..data.sources import Source
from ..data.splits import TEST
from ..errors import BundleError, UserError
from ..evaluation.measure import every_set, measure, score
from ..experiment import Experiment
from ..inference import collect, windows
from ..inspection.infer import LeftOut
from ..predictor import Predictor
from ..preparation import Prepared, prepare
from ..storage import write_whole
from ..training.checkpoint import Checkpoints
from ..training.observers import JsonLines, Observer, Observers, plain
from ..training.plan import RESERVE, Clock, Plan
from . import balance
from .examples import kept_for_report
from .finding import finding
from .journal import ASIDE, Journal, code_of, differing, digest_of
from .members import Members
from .request import guessed
from .signals import Stop, StoppedAtOnce
from .validation import Measured, Member

_NOT_WRITTEN = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


class Interrupted(Exception):
    """Training was asked to stop by a signal, and can be resumed. ``predictor`` holds the best weights by then, None where training
    had not begun; ``signal`` is 2 (Ctrl-C) or 15 (SIGTERM)."""

    def __init__(self, predictor: Predictor | None, signal: int, run: Path | None) -> None:
        super().__init__("interrupted")
        self.predictor, self.signal, self.run = predictor, signal, run


class Run:
    """A training run, from an experiment to a bundle."""

    def __init__(
        self,
        experiment: Experiment,
        source: Source,
        valid_source: Source | None,
        test_source: Source | None,
        folder: Path,
        clock: Clock,
        observers: Sequence[Observer],
        reasons: Mapping[str, str],
        keep: bool,
        journal: Journal | None = None,
        force: bool = False,
        left_out: Sequence[LeftOut] = (),
    ) -> None:
        self.experiment, self.source, self.valid_source, self.test_source = experiment, source, valid_source, test_source
        self.folder, self.clock, self.reasons, self.keep = folder, clock, reasons, keep
        self.before, self.force, self.left_out = journal, force, left_out
        self.log = JsonLines(folder / "log.jsonl")
        self.observer = Observers([self.log, *observers])
        self.stopping = Stop()

    def go(self) -> Predictor:
        """Every stage in turn; ``Interrupted`` once what there was by then is saved."""
        predictor: Predictor | None = None
        try:
            with self.stopping, torch.random.fork_rng(devices=[]), _threads(self.before):
                self._start()
                states = self.before.states if self.before is not None else None
                kinds = guessed(self.experiment, self.before.reasons if self.before is not None else self.reasons)
                prepared = prepare(self.experiment, self.source, self.valid_source, self.folder, states, self._note, kinds)
                try:
                    predictor = self._train(prepared, self._journal(prepared))
                finally:
                    prepared.close()
        except StoppedAtOnce:
            pass
        except OSError as error:
            if error.errno not in _NOT_WRITTEN:
                raise
            raise UserError(f"{self.folder}: cannot be written ({error.strerror or error}); {self._way_out()}") from None
        finally:
            self.observer.close()
        if self.stopping.requested:
            raise Interrupted(predictor, self.stopping.signal, self.folder if self.keep else None)
        assert predictor is not None
        return predictor

    def _way_out(self) -> str:
        if not self.keep or not (self.folder / "checkpoints" / "ledger.json").exists():
            return "free some space, or choose another folder (-o RUN)"
        return f"what it has kept is whole; free some space, then go on: polymodal train --resume {shlex.quote(str(self.folder))}"

    def _journal(self, prepared: Prepared) -> Journal:
        """The memory of this run: a new one, or the one that it was resumed with, once nothing differs or that is accepted."""
        content = prepared.content()
        sources = {"table": self.source, "valid": self.valid_source, "test": self.test_source}
        tables = {name: digest_of(self.experiment, source) for name, source in sources.items() if source is not None}
        if "test" in tables:
            content["test table"] = tables["test"]
        if self.experiment.training.init is not None:
            content["training.init"] = Bundle.digest(self.experiment.training.init)
        journal = self.before
        if journal is None:
            path = self.folder / "checkpoints" / "ledger.json" if self.keep else None
            memory = [name for name, source in sources.items() if source is not None and source.folder is None]
            journal = Journal(path, threads=torch.get_num_threads(), states=prepared.states(), memory=memory, reasons=dict(self.reasons))
        else:
            found = journal.differences(self.experiment, content)
            differing(self.folder, found, self.force)
            for one in found:
                self.observer.observe("warning", {"text": f"resumed all the same (--force): {one.line}"})
            if found:
                journal.decisions.pop("plan", None)  # it was made for other settings or rows
            journal.limit_changed = journal.experiment["training"]["time_limit"] != self.experiment.training.time_limit
            if journal.experiment != self._placed().tree():
                write_whole(self.folder / "run.yaml", explain(self._placed(), journal.reasons).encode())
        journal.experiment, journal.content, journal.code = self._placed().tree(), content, code_of(self.experiment)
        journal.tables, journal.clock = tables, self.clock
        journal.save()
        shutil.rmtree(self.folder / ASIDE, ignore_errors=True)  # from here on there is another run to go on with
        return journal

    def _train(self, prepared: Prepared, journal: Journal) -> Predictor:
        checkpoints = Checkpoints(self.folder / "checkpoints" if self.keep else None)
        team = Members(self.experiment, prepared, self.clock, self.observer, lambda: self.stopping.requested, checkpoints, journal)
        self._log_data(prepared, team)
        plan = team.plan()
        self.stopping.gently = True
        members = team.train(plan, every_set(team.fields))
        for note in checkpoints.notes:
            self._note(note)
        measured = team.held_out.measure(members, every_set(team.fields), team.fields)
        calibration = team.held_out.calibrate(members[0].model, measured)
        measured.metrics["calibration"] = {name: found.facts for name, found in calibration.items()}
        answers = team.held_out.calibrating(members, team.fields)
        errors = team.held_out.errors(members, team.fields, measured, answers)
        scales = team.held_out.scale(members, team.fields, answers)
        measured.metrics["pooled"] = {name: found.facts() for name, found in scales.items()}
        metrics: dict[str, Any] = {
            "rows": {
                "table": self.source.rows,
                "training": len(prepared.member(0)[0]),
                "selection": len(prepared.selecting),
                "calibration": len(prepared.split.calibrating),
                "without_target": dict(prepared.unlabelled),
            },
            "validation": measured.metrics,
            "baselines": {},
            "conformal": {name: {**kept, "scale": scales[name].scale if name in scales else 1.0} for name, kept in errors.items()},
            "plan": plan.facts(),
            "seconds": {"fused": round(self.clock.spent, 1)},
            "members": [{"epoch": m.fitted.epoch, "epochs": plan.epochs, "stopped": m.fitted.stopped} for m in members],
            "seed": self.experiment.seed,
        }
        bundle = self._bundle(prepared, members, team.fields, metrics)
        trained_in = [] if self.source.folder is None else [self.source.folder]
        predictor = Predictor(bundle, root=self.experiment.data.root, run=self.folder if self.keep else None, trained_in=trained_in)
        self._save(bundle, metrics)  # what follows adds to the measurements, never to the model
        alone: dict[str, Measured] = {}
        if plan.baseline_members:
            metrics["baselines"], predictor.baselines, alone = self._baselines(prepared, team, plan, measured, journal)
        metrics["balance"] = balance.compare(prepared, measured, alone)
        for line in balance.warnings(metrics["balance"], members, self.experiment.training.balance.kind):
            self.observer.observe("warning", {"text": line})
        untried = [name for name in team.fields if name not in alone]
        metrics["finding"], metrics["comparison"] = finding(prepared, measured, alone, untried)
        test = None if self.stopping.requested else self._test(predictor, prepared)
        if test is not None:
            metrics["test"] = test
        metrics["seconds"]["total"] = round(self.clock.spent, 1)
        self._save(bundle, metrics)
        if self.keep:
            self._report(prepared, measured, {name: found.curves for name, found in calibration.items()})
        if not self.stopping.requested:
            journal.ended = True
            journal.save()
            checkpoints.clear()
        self.observer.observe("end", {name: metrics[name] for name in ("seconds", "validation", "finding")})
        return predictor

    def _save(self, bundle: Bundle, metrics: Mapping[str, Any]) -> None:
        bundle.metrics = plain(metrics)
        if self.keep:
            write_whole(self.folder / "metrics.json", (json.dumps(bundle.metrics, ensure_ascii=False, indent=1) + "\n").encode())
            try:
                bundle.save(self.folder / "bundle")
            except BundleError as error:
                raise UserError(f"{str(error).partition(';')[0]}; {self._way_out()}") from None

    def _start(self) -> None:
        if self.before is None:
            write_whole(self.folder / "run.yaml", explain(self._placed(), self.reasons).encode())
        self.observer.observe("start" if self.before is None else "resume", {
            "polymodal": __version__, "torch": torch.__version__, "python": platform.python_version(), "threads": torch.get_num_threads(),
            "table": self.source.name, "rows": self.source.rows, "seed": self.experiment.seed, "time_limit": self.clock.limit,
        })  # fmt: skip
        for name, field in self.experiment.fields.items():
            encoder = self.experiment.model.encoders[name].kind
            why = self.reasons.get(f"fields.{quote(name)}", "")
            self._note(f"field {name!r}: {field.kind}, encoder {encoder}{f' ({why})' if why else ''}")
        for path, reason in self.reasons.items():
            if path.startswith("model.encoders") and self.experiment.model.preset != "scratch":
                self._note(f"{path}: {reason}")
            if path.startswith("columns."):
                self._note(f"column {path.removeprefix('columns.')}: {reason}")
            if path.startswith(("data.split", "override")):
                self._note(f"{path}: {reason}" if path.startswith("data") else reason)
        for one in self.left_out:
            if one.unread:  # ``train`` warns of it, so that only the log needs to be told
                self.log.observe("warning", {"text": one.line})
            else:
                self._note(one.line)

    def _placed(self) -> Experiment:
        """The experiment with every path absolute: the run's own file is read from another folder."""
        data = self.experiment.data
        paths = {name: str(Path(value).resolve()) for name in ("table", "valid", "test") if (value := getattr(data, name)) is not None}
        roots = [str(Path(root).resolve()) for root in data.root]
        training, init = self.experiment.training, self.experiment.training.init
        if init is not None:
            training = training.model_copy(update={"init": str(Path(init).resolve())})
        placed = {"data": data.model_copy(update={**paths, "root": roots}), "training": training}
        return self.experiment.model_copy(update=placed).with_models_at(Path.cwd())

    def _note(self, text: str) -> None:
        self.observer.observe("note", {"text": text})

    def _log_data(self, prepared: Prepared, team: Members) -> None:
        self.observer.observe("device", {"device": team.device.type, "precision": str(team.precision).removeprefix("torch.")})
        for name, modality in prepared.modalities.items():
            self._note(f"field {name!r}: {modality.describe()}")
        for name, task in prepared.tasks.items():
            count = prepared.unlabelled[name]
            self._note(f"target {name!r}: {task.config.kind}, {task.describe()}{f'; {count:,} rows without' if count else ''}")
            if words := self.reasons.get(f"tasks.{quote(name)}.missing"):
                self._note(f"target {name!r}: {words}")
        for line in prepared.warnings:
            self.observer.observe("warning", {"text": line})

    def _report(self, prepared: Prepared, measured: Measured, reliability: Mapping[str, Any]) -> None:
        """``report.json`` and ``report.html``; where they cannot be written, the model is saved all the same."""
        try:
            kept = kept_for_report(self.experiment, prepared, measured, self.valid_source or self.source)
            kept["reliability"] = reliability
            body = json.dumps(plain(kept), ensure_ascii=False).encode("utf-8", "replace")
            write_whole(self.folder / report.NAME, body)
            report.write(self.folder)
        except OSError as error:
            text = f"report.html was not written ({error.strerror or error}); make it later: polymodal report {self.folder}"
            self.observer.observe("warning", {"text": text})

    def _baselines(
        self, prepared: Prepared, team: Members, plan: Plan, whole: Measured, journal: Journal
    ) -> tuple[dict[str, Any], dict[str, Bundle], dict[str, Measured]]:
        """Each single field alone, trained and measured on the same rows as the ``whole``, or on the first of them."""
        measured: dict[str, Any] = {}
        bundles: dict[str, Bundle] = {}
        every: dict[str, Measured] = {}
        for name in team.fields:
            if self.stopping.requested:
                self._note(f"baseline {name!r}: left out, interrupted")
                continue
            no_time = self.clock.left < 1.0 + RESERVE * (self.clock.limit or 0.0) and not team.has_begun(name)
            if name in journal.decisions.get("left out", []) or no_time:
                journal.decide("left out", list(dict.fromkeys([*journal.decisions.get("left out", []), name])))
                self._note(f"baseline {name!r}: left out, no time")
                continue
            begin = time.monotonic()
            members = team.train_alone(plan, name)
            every[name] = team.held_out.measure(members, [frozenset()], [name])
            measured[name] = {**every[name].metrics, "folds": len(members), "seconds": round(time.monotonic() - begin, 1)}
            if len(every[name].rows) < len(whole.rows):  # compared with the whole on the same rows, always
                measured[name]["fused"] = whole.first(len(every[name].rows), prepared.tasks)
            team.held_out.scale(members, [name], team.held_out.calibrating(members, [name]))
            bundles[name] = self._bundle(prepared, members, [name], measured[name])
        return measured, bundles, every

    def _bundle(self, prepared: Prepared, members: Sequence[Member], fields: Sequence[str], metrics: Mapping[str, Any]) -> Bundle:
        experiment = self.experiment
        if len(fields) < len(prepared.modalities):
            model = experiment.model.model_copy(update={"encoders": {name: experiment.model.encoders[name] for name in fields}})
            some = {name: experiment.fields[name] for name in fields}
            training = experiment.training.alone(fields[0])
            experiment = experiment.model_copy(update={"fields": some, "model": model, "training": training})
        states = {name: prepared.modalities[name].state for name in fields}
        backbones = {name: backbone for name, backbone in prepared.backbones.items() if name in fields}
        return Bundle(experiment, prepared.tasks, states, [member.model for member in members], plain(metrics), backbones)

    def _test(self, predictor: Predictor, prepared: Prepared) -> dict[str, Any] | None:
        if self.test_source is not None:
            try:
                measured = predictor.evaluate(self.test_source)
                for name, counts in measured.get("unknown", {}).items():
                    self.observer.observe("warning", {"text": f"target {name!r}: {unknown_line({'test': counts})}"})
                return measured
            except UserError as error:  # the model is trained and saved: that must not hang on another table
                self.observer.observe("warning", {"text": f"the test table was not measured: {error}"})
                return None
        rows = np.flatnonzero(prepared.split.part_N == TEST)
        if not len(rows):
            return None
        store = prepared.train.store
        found = [collect(member, store.modalities, windows(store, rows)) for member in predictor.bundle.members]
        scores = {name: score(task, [one.answers[0].logits[name] for one in found]) for name, task in prepared.tasks.items()}
        tasks, _ = measure(prepared.tasks, scores, {name: target[rows] for name, target in prepared.train.targets.items()})
        return {"rows": len(rows), "tasks": tasks}


@contextmanager
def _threads(journal: Journal | None) -> Iterator[None]:
    """As many threads as the run began with: other counts add up in another order."""
    before = torch.get_num_threads()
    if journal is not None and journal.threads and journal.threads != before:
        torch.set_num_threads(journal.threads)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
