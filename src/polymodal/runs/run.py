"""One training run, from an experiment to a bundle.

The stages, in order: prepare the data, plan, train the members, measure and calibrate them, save the bundle, train the single fields,
compare, test, write the report.
"""

from __future__ import annotations

import errno
import json
import platform
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .. import __version__, pages
from ..bundle import Bundle
from ..config import explain
from ..data.sources import Source
from ..ensemble.calibration import EnsembleCalibration
from ..ensemble.diagnosis import diagnose, warnings
from ..ensemble.finding import finding
from ..ensemble.leaderboard import leaderboard, members_of
from ..ensemble.plan import LEAST_SECONDS, RESERVE, Plan
from ..ensemble.trainer import EnsembleTrainer
from ..ensemble.validation import Measured, Member
from ..errors import BundleError, UserError, spelled
from ..evaluation.measure import every_set
from ..experiment import Experiment
from ..inspection.infer import LeftOut
from ..journal import JOURNAL_FILE, Journal, code_of, digest_of, refuse
from ..language import Sentence
from ..predictor import Predictor
from ..preparation import Prepared, prepare
from ..remote import is_remote
from ..storage import discard_replaced, write_whole
from ..tracking import trackers
from ..training.checkpoint import Checkpoints
from ..training.clock import Clock
from ..training.events import DeviceEvent, EndEvent, NoteEvent, ResumeEvent, StartEvent, WarningEvent
from ..training.observers import JsonLines, Observer, Observers, plain
from .metrics import BaselineMetrics, MemberMetrics, RowCounts, RunMetrics, Seconds
from .notes import copies_of_training, data_notes, settings_notes
from .report_data import report_data
from .resolution import guessed, guessed_columns
from .signals import Stop, StoppedAtOnce
from .testing import measure_test

_NOT_WRITTEN = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


class Interrupted(Exception):
    """Raised when a signal has stopped training.

    :param predictor: answers with the best weights so far; None = training had not begun
    :param signal: 2 (Ctrl-C) or 15 (SIGTERM)
    :param run: the folder of the run, from which it can be resumed; None = nothing was kept
    """

    def __init__(self, predictor: Predictor | None, signal: int, run: Path | None) -> None:
        super().__init__("interrupted")
        self.predictor, self.signal, self.run = predictor, signal, run


class Run:
    """A training run, from an experiment to a bundle.

    :param experiment: the experiment, complete
    :param source: the training table
    :param valid_source: the validation table; None = the split provides validation rows
    :param test_source: the test table; None = the split provides test rows, or there are none
    :param folder: the folder of the run
    :param clock: the time limit of the whole command
    :param reasons: why each setting has its value, by path
    :param keep: whether the folder is kept; otherwise it is temporary, and only the returned predictor remains
    :param journal: the journal of the run to resume; None = a new run
    :param force: whether a run is resumed although its data, settings or code have changed
    :param left_out: the columns that inference left out
    :param tests: whether the model is measured on the test rows at the end
    """

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
        tests: bool = True,
    ) -> None:
        if is_remote(experiment.data.table):  # the name of a folder ends in a slash, by which a run knows the folder of its files
            experiment = experiment.model_copy(update={"data": experiment.data.model_copy(update={"table": source.name})})
        self.experiment, self.source, self.valid_source, self.test_source = experiment, source, valid_source, test_source
        self.folder, self.clock, self.reasons, self.keep = folder, clock, reasons, keep
        self.before, self.force, self.left_out, self.tests = journal, force, left_out, tests
        self.log = JsonLines(folder / "log.jsonl")
        self.observer = Observers([self.log, *trackers(experiment, folder, self._note), *observers])
        self.stopping = Stop()

    def go(self) -> Predictor:
        """Run all stages and return the predictor of the trained model.

        :raises Interrupted: a signal stopped training; what was trained by then is saved
        :raises UserError: the data cannot be trained on, or the folder cannot be written
        """
        predictor: Predictor | None = None
        try:
            with self.stopping, torch.random.fork_rng(devices=[]), _threads(self.before):
                self._start()
                states = self.before.states if self.before is not None else None
                reasons = self.before.reasons if self.before is not None else self.reasons
                inferred = guessed(self.experiment, reasons), guessed_columns(self.experiment, reasons)
                prepared = prepare(self.experiment, self.source, self.valid_source, self.folder, states, self._note, *inferred)
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
        """Return what can be done when the folder cannot be written."""
        if not self.keep or not (self.folder / JOURNAL_FILE).exists():
            return f"free some space, or choose another folder ({spelled('-o RUN', 'out=...')})"
        resume = spelled(f"polymodal train --resume {shlex.quote(str(self.folder))}", f"polymodal.resume({str(self.folder)!r})")
        return f"its files are complete; free some space, and resume: {resume}"

    def _journal(self, prepared: Prepared) -> Journal:
        """Return the journal of this run: a new one, or the one of the resumed run, after a check that nothing differs (or ``force``)."""
        content = prepared.content()
        sources = {"table": self.source, "valid": self.valid_source, "test": self.test_source}
        tables = {name: digest_of(self.experiment, source) for name, source in sources.items() if source is not None}
        if "test" in tables:
            content["test table"] = tables["test"]
        if self.experiment.training.init is not None:
            content["training.init"] = Bundle.digest(self.experiment.training.init)
        placed = self.experiment.with_absolute_paths()
        tree = placed.tree()
        journal = self.before
        if journal is None:
            path = self.folder / JOURNAL_FILE
            path.parent.mkdir(exist_ok=True)
            memory = [name for name, source in sources.items() if source is not None and source.folder is None]
            journal = Journal(path, threads=torch.get_num_threads(), states=prepared.states(), memory=memory, reasons=dict(self.reasons))
        else:
            differing = journal.differences(self.experiment, content)
            refuse(self.folder, differing, self.force)
            for one in differing:
                self.observer.observe(WarningEvent(Sentence("resume.forced", difference=one.line)))
            if differing:
                journal.forget("plan", "trees")  # they were made for other settings or rows
            journal.limit_changed = journal.experiment["training"]["time_limit"] != self.experiment.training.time_limit
            if journal.experiment != tree:
                write_whole(self.folder / "run.yaml", explain(placed, journal.reasons).encode())
        journal.experiment, journal.content, journal.code = tree, content, code_of(self.experiment)
        journal.tables, journal.clock = tables, self.clock
        journal.save()
        discard_replaced(self.folder)
        return journal

    def _train(self, prepared: Prepared, journal: Journal) -> Predictor:
        """Run all stages after preparation."""
        checkpoints = Checkpoints(self.folder / "checkpoints" if self.keep else None)
        trainer = EnsembleTrainer(
            self.experiment, prepared, self.clock, self.observer, lambda: self.stopping.requested, checkpoints, journal
        )
        self._log_data(prepared, trainer)
        plan = trainer.plan()
        self.stopping.gently = True
        members = trainer.train(plan, every_set(trainer.fields))
        for note in checkpoints.notes:
            self._note(note)
        measured, metrics, reliability = self._measure(trainer, members, plan)
        bundle = self._bundle(prepared, members, trainer.fields, metrics.facts())
        trained_in = [] if self.source.folder is None else [self.source.folder]
        predictor = Predictor(
            bundle, root=self.experiment.data.root, run=self.folder if self.keep else None, trained_in=trained_in,
            device=self.experiment.training.device,
        )  # fmt: skip
        self._save(bundle, metrics)  # the later stages add metrics and never change the model
        alone: dict[str, Measured] = {}
        if plan.baseline_members:
            baselines, predictor.baselines, alone = self._baselines(trainer, plan, measured, len(members), journal)
            metrics = replace(metrics, baselines=baselines)
        metrics = self._compare(trainer, members, measured, alone, metrics)
        test = None if self.stopping.requested or not self.tests else measure_test(predictor, prepared, self.test_source, self.observer)
        metrics = replace(metrics, test=test, seconds=replace(metrics.seconds, total=round(self.clock.spent, 1)))
        self._save(bundle, metrics)
        if self.keep:
            self._report(prepared, measured, reliability)
        if not self.stopping.requested:
            journal.ended = True
            journal.save()
            checkpoints.clear()
        self.observer.observe(EndEvent(metrics.seconds.facts(), metrics.validation.facts(), metrics.finding or ""))
        return predictor

    def _measure(self, trainer: EnsembleTrainer, members: Sequence[Member], plan: Plan) -> tuple[Measured, RunMetrics, dict[str, Any]]:
        """Measure and calibrate the members of all fields. Return the results, the metrics of the run, and reliability curves by task."""
        prepared = trainer.prepared
        measured = trainer.validation.measure(members, every_set(trainer.fields), trainer.fields)
        calibration = EnsembleCalibration(trainer.validation, members, trainer.fields)
        vote_scales = calibration.vote_scales(measured)
        for member in members:
            member.model.prune()
        answers = calibration.answers()
        errors = calibration.errors(measured, answers)
        scales = calibration.scale(answers)
        for name, kept in errors.items():
            kept["scale"] = scales[name].scale if name in scales else 1.0
        metrics = RunMetrics(
            rows=RowCounts(
                table=self.source.rows,
                training=len(prepared.member(0)[0]),
                selection=len(prepared.selecting),
                calibration=len(prepared.split.calibrating),
                without_target=dict(prepared.unlabelled),
            ),
            validation=replace(measured.metrics, calibration=vote_scales, pooled=scales),
            conformal=errors,
            plan=plan,
            seconds=Seconds(fused=round(self.clock.spent, 1)),
            members=[MemberMetrics(one.fitted.epoch, one.fitted.history[-1].epochs, one.fitted.stopped) for one in members],
            seed=self.experiment.seed,
        )
        return measured, metrics, {name: one.curves for name, one in vote_scales.items()}

    def _compare(
        self,
        trainer: EnsembleTrainer,
        members: Sequence[Member],
        measured: Measured,
        alone: Mapping[str, Measured],
        metrics: RunMetrics,
    ) -> RunMetrics:
        """Compare the model of all fields with those of single fields. Return ``metrics`` with the diagnosis and the finding."""
        balance = diagnose(trainer.prepared, measured, alone)
        for line in warnings(balance, members, self.experiment.training.balance.kind):
            self.observer.observe(WarningEvent(line))
        untried = [] if self.stopping.requested else [name for name in trainer.fields if name not in alone]
        text, comparison = finding(trainer.prepared, measured, alone, untried)
        board = leaderboard(trainer.prepared, measured, alone, trainer.seconds)
        single = members_of(trainer.prepared, measured)
        return replace(metrics, balance=balance, finding=text, comparison=comparison, leaderboard=board, single=single)

    def _save(self, bundle: Bundle, metrics: RunMetrics) -> None:
        """Set the metrics of the bundle, and write both if the folder is kept."""
        bundle.metrics = plain(metrics.facts())
        if self.keep:
            write_whole(self.folder / "metrics.json", (json.dumps(bundle.metrics, ensure_ascii=False, indent=1) + "\n").encode())
            try:
                bundle.save(self.folder / "bundle")
            except BundleError as error:
                raise UserError(f"{str(error).partition(';')[0]}; {self._way_out()}") from None

    def _start(self) -> None:
        """Write ``run.yaml`` if the run is new, and report the settings and the reasons for them."""
        if self.before is None:
            write_whole(self.folder / "run.yaml", explain(self.experiment.with_absolute_paths(), self.reasons).encode())
        begun = StartEvent if self.before is None else ResumeEvent
        self.observer.observe(begun(
            polymodal=__version__, torch=torch.__version__, python=platform.python_version(), threads=torch.get_num_threads(),
            table=self.source.name, rows=self.source.rows, seed=self.experiment.seed, time_limit=self.clock.limit,
        ))  # fmt: skip
        for text in settings_notes(self.experiment, self.reasons):
            self._note(text)
        for one in self.left_out:
            if one.unread:  # ``train`` shows a warning, so that only the log lacks it
                self.log.observe(WarningEvent(one.line))
            else:
                self._note(one.line)

    def _note(self, text: str) -> None:
        """Report a note to the observers."""
        self.observer.observe(NoteEvent(text))

    def _log_data(self, prepared: Prepared, trainer: EnsembleTrainer) -> None:
        """Report the device, the content of fields and targets, and warnings about the data."""
        self.observer.observe(DeviceEvent(trainer.device.type, str(trainer.precision).removeprefix("torch.")))
        for text in data_notes(prepared, self.reasons):
            self._note(text)
        for line in prepared.warnings:
            self.observer.observe(WarningEvent(line))
        for other in (self.valid_source, self.test_source):
            if other is not None and (line := copies_of_training(self.experiment, prepared.train.source, other)):
                self.observer.observe(WarningEvent(line))

    def _report(self, prepared: Prepared, measured: Measured, reliability: Mapping[str, Any]) -> None:
        """Write ``report.json``, ``examples.json`` and ``report.html``. If this fails, there is a warning, and the run continues."""
        try:
            kept = report_data(self.experiment, prepared, measured, self.valid_source or self.source)
            kept["reliability"] = reliability
            for name, content in ((pages.EXAMPLES, {"rows": kept.pop("examples")}), (pages.REPORT_DATA, kept)):
                write_whole(self.folder / name, json.dumps(plain(content), ensure_ascii=False).encode("utf-8", "replace"))
            pages.write(self.folder, state=pages.INTERRUPTED if self.stopping.requested else pages.ENDED)
        except OSError as error:
            text = Sentence("warning.report", why=str(error.strerror or error), folder=str(self.folder))
            self.observer.observe(WarningEvent(text))

    def _baselines(
        self, trainer: EnsembleTrainer, plan: Plan, whole: Measured, most: int, journal: Journal
    ) -> tuple[dict[str, BaselineMetrics], dict[str, Bundle], dict[str, Measured]]:
        """Train and measure each single field, on the rows of ``whole`` or on the first of them. Return metrics, bundles and results.

        :param most: the number of the members of all fields, up to which the time that is left within a time limit is used
        """
        metrics: dict[str, BaselineMetrics] = {}
        bundles: dict[str, Bundle] = {}
        results: dict[str, Measured] = {}
        for name in trainer.fields:
            if self.stopping.requested:
                continue
            no_time = self.clock.left < LEAST_SECONDS + RESERVE * (self.clock.limit or 0.0) and not trainer.has_begun(name)
            if name in journal.decisions.get("left out", []) or no_time:
                journal.decide("left out", list(dict.fromkeys([*journal.decisions.get("left out", []), name])))
                self._note(Sentence("note.no_time", field=name))
                continue
            begin = time.monotonic()
            members = trainer.train_alone(plan, name, most)
            results[name] = measured = trainer.validation.measure(members, [frozenset()], [name])
            seconds, rows = round(time.monotonic() - begin, 1), len(measured.rows)
            fused = whole.first(rows, trainer.prepared.tasks) if rows < len(whole.rows) else None
            metrics[name] = BaselineMetrics(measured.metrics, len(members), seconds, fused)
            calibration = EnsembleCalibration(trainer.validation, members, [name])
            calibration.scale(calibration.answers())
            bundles[name] = self._bundle(trainer.prepared, members, [name], metrics[name].facts())
        return metrics, bundles, results

    def _bundle(self, prepared: Prepared, members: Sequence[Member], fields: Sequence[str], metrics: Mapping[str, Any]) -> Bundle:
        """Return the bundle of the members of some fields, with an experiment of these fields only."""
        experiment = self.experiment
        if len(fields) < len(prepared.modalities):
            model = experiment.model.model_copy(update={"encoders": {name: experiment.model.encoders[name] for name in fields}})
            some = {name: experiment.fields[name] for name in fields}
            training = experiment.training.alone(fields[0])
            experiment = experiment.model_copy(update={"fields": some, "model": model, "training": training})
        states = {name: prepared.modalities[name].state for name in fields}
        backbones = {name: backbone for name, backbone in prepared.backbones.items() if name in fields}
        return Bundle(experiment, prepared.tasks, states, [member.model for member in members], plain(metrics), backbones)


@contextmanager
def _threads(journal: Journal | None) -> Iterator[None]:
    """Use the number of threads with which the run began: with another number, sums are computed in another order."""
    before = torch.get_num_threads()
    if journal is not None and journal.threads and journal.threads != before:
        torch.set_num_threads(journal.threads)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
