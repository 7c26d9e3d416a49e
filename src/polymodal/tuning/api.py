"""``tune``: searches for the best settings of a table, trial after trial, and writes the best configuration."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from ..config import explain, quote, request_of, split_override
from ..ensemble.plan import RESERVE
from ..errors import ConfigError, UserError, spelled
from ..experiment import Experiment
from ..journal import code_of, digest_of
from ..language import Sentence
from ..predictor import load
from ..request import TrainingSettings, accepts
from ..runs import Interrupted
from ..runs.resolution import Resolved, resolve
from ..runs.testing import measure_test_later
from ..storage import Lock, OutputFolder, discard_replaced, write_texts
from ..training.clock import Clock
from ..training.console import observers_of
from ..training.events import NoteEvent, SearchEvent, TrialEvent, WarningEvent
from ..training.observers import Observer, Observers, plain
from .result import TuneResult
from .space import Dimension, check, space_of
from .study import Study
from .trials import COMPLETE, FAILED, TimeIsOver, Trainer, Trial, Trials, WarnOnce, caught_warnings

RESULTS, BEST, JOURNAL, OPTUNA, RUNS = "tune.json", "best.yaml", "trials.jsonl", "optuna.log", "trials"
"""The files of a search: the results, the best configuration, the journal, the study for Optuna's dashboard, and the runs of the trials."""
_SAFE = 1.1
"""The factor on the longest trial so far, by which the next one is expected to fit the time that is left."""


@accepts(TrainingSettings)
def tune(
    table: Any,
    *overrides: str,
    over: Mapping[str, Any] | Sequence[str] | str,
    trials: int = 20,
    prune: bool = True,
    out: str | Path | None = None,
    overwrite: bool = False,
    force: bool = False,
    observers: Sequence[Observer] = (),
    verbose: bool | int | None = None,
    start: float | None = None,
    **settings: Unpack[TrainingSettings],
) -> TuneResult:
    """Search for the settings with the best metric on the validation rows (``pip install 'polymodal[tune]'``).

    Each trial is a run of ``train`` with the settings that Optuna suggests after the trials before it. If ``out`` contains this search, it
    goes on there, with the same suggestions as without an interruption. The metric of each target is that by which it is judged:
    ``tasks.TARGET.metric``, or its default.

    The figure of the best trial is optimistic, since the trial was selected by it. If there is a test table or the split has test rows,
    the best trial alone is measured on them, once, at the end.

    :param table: what ``train`` takes
    :param overrides: ``path=value`` settings of all trials
    :settings:
    :param over: what is searched: texts ``path=values``, or a mapping of paths to lists of values or to texts. Values are
        ``concat,gated`` (choices), ``int:5..20``, ``float:0..0.5`` or ``log:1e-4..1e-2``
    :param trials: the number of trials; a search that goes on may have more
    :param prune: whether a trial ends early if its first model is worse than the median of the other trials at the same epoch
    :param out: the folder for the results, ``best.yaml`` and the runs of the trials; None = nothing is kept
    :param overwrite: whether an existing search in ``out`` is replaced
    :param force: whether a search goes on although the code has changed
    :param observers: called with the events of the search, and with the steps, epochs and warnings of its trials
    :param verbose: what is shown of the progress: True or 1 = notes and a line for each trial, with a bar on a terminal or in a notebook;
        2 = every epoch as well; False = nothing; None = 1 on a terminal and in a notebook, otherwise nothing
    :param start: the moment (``time.monotonic()``) from which the time limit counts; None = now
    :returns: a dict whose keys are attributes too, and which prints as a summary: ``trials``, ``best`` (with its ``settings``, ``scores``
        and ``run``), ``test`` (None without test rows), ``statement``, ``space``, ``stopped``, ``seed``, ``seconds`` and others
    :raises UserError: an argument, a setting or the data is invalid; all trials failed; or no trial ended within the time limit
    :raises Interrupted: the process received a signal; the search goes on with the same call
    """
    request = request_of(Experiment, tune, table, overrides, settings)
    if trials < 1:
        raise UserError(f"trials: {trials}; expected 1 or more{spelled(' (--trials)', '')}")
    space = space_of(over)
    for text in overrides:
        given = ".".join(map(quote, split_override(text)[0]))
        if given in (one.path for one in space):
            raise ConfigError(f"over: {given} is set as well, by {text}; expected one of the two; leave the other out")
    clock = Clock(None, start)
    with caught_warnings() as lines:
        resolved = resolve(request)
        check(space, resolved.experiment)
    for line in (*lines, *resolved.unread_lines):
        warnings.warn(line, UserWarning, stacklevel=2)
    if resolved.experiment.training.track and out is None:
        raise ConfigError("track: the trials are written to the folder of the search; expected a search that is kept; give out=FOLDER")
    clock.limit = resolved.experiment.training.time_limit
    observer = Observers(observers_of(verbose, observers))
    with _folder(out, overwrite, resolved.experiment) as folder:
        trainer = Trainer(table, overrides, settings, folder / RUNS, force, WarnOnce(observer, lines))
        about = {"experiment": resolved.experiment.tree(), "content": _content(resolved), "code": code_of(resolved.experiment),
                 "asked": {"over": [one.facts() for one in space], "prune": prune}}  # fmt: skip
        journal = Trials(folder / JOURNAL if out is not None else None, about, force, lambda text: observer.observe(WarningEvent(text)))
        discard_replaced(folder)
        clock.start -= journal.spent
        try:
            search = _Search(resolved, space, trainer, journal, clock, observer, trials, prune)
            search.go(folder / OPTUNA if out is not None else None)
            return search.conclude(folder if out is not None else None)
        except Interrupted as stopped:
            raise Interrupted(None, stopped.signal, folder if out is not None else None) from None
        finally:
            observer.close()


def _content(resolved: Resolved) -> dict[str, str]:
    """Return digests of the tables, as they are recorded in the journal."""
    sources = {"table": resolved.source, "valid table": resolved.valid, "test table": resolved.test}
    return {name: digest_of(resolved.experiment, source) for name, source in sources.items() if source is not None}


@contextmanager
def _folder(out: str | Path | None, overwrite: bool, experiment: Experiment) -> Iterator[Path]:
    """Give the folder of a search: one in which it goes on, a new one, or a temporary one if nothing is to be kept."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="polymodal-") as name:
            yield Path(name)
        return
    folder = Path(out)
    if (folder / JOURNAL).is_file() and not overwrite:
        with Lock(folder):
            yield folder
        return
    entries = (RESULTS, BEST, JOURNAL, OPTUNA, RUNS)
    policy = OutputFolder(folder, "a search", "-o FOLDER", JOURNAL, JOURNAL, entries=entries, inputs=experiment.paths)
    with policy.claim(overwrite) as made:
        yield made


class _Search:
    """A search: its trials one after the other, and its results.

    :param resolved: the experiment without the settings that are searched, and its tables
    :param most: the number of trials
    """

    def __init__(
        self, resolved: Resolved, space: Sequence[Dimension], trainer: Trainer, journal: Trials, clock: Clock, observer: Observer,
        most: int, prune: bool,
    ) -> None:  # fmt: skip
        self.resolved, self.space, self.trainer, self.journal = resolved, space, trainer, journal
        self.clock, self.observer, self.most, self.prune = clock, observer, most, prune
        self.stopped = ""
        """Why the search ended before all trials; empty = it did not."""

    def go(self, optuna: Path | None) -> None:
        """Train the trials that the journal lacks.

        :param optuna: the file of the study for Optuna's dashboard
        """
        paths = [one.path for one in self.space]
        self.observer.observe(SearchEvent(trials=max(self.most, len(self.journal.ended)), paths=paths))
        facts = {"trials": self.most, "paths": ", ".join(paths), "rows": self.resolved.source.rows}
        self.observer.observe(NoteEvent(Sentence("tune.begins", **facts)))
        study = Study(self.space, self.resolved.experiment.seed, optuna)
        best: Trial | None = None
        for trial in self.journal.ended:
            study.tell(trial)
            best = self._report(trial, best)
        if self.journal.ended:
            self.observer.observe(NoteEvent(Sentence("tune.goes_on", trials=len(self.journal.ended))))
        size = _size(self.space)
        while len(self.journal.ended) < self.most and not self.stopped:
            if len({json.dumps(one.settings, sort_keys=True) for one in self.journal.ended}) >= size:
                self.stopped = Sentence("tune.all_tried", count=size)
            elif not self._fits():
                self.stopped = Sentence("tune.time")
            else:
                best = self._next(study, best)

    def _fits(self) -> bool:
        """Return whether the longest trial so far fits the time that is left."""
        longest = max((one.seconds for one in self.journal.ended if one.state == COMPLETE), default=0.0)
        return self._left > _SAFE * longest

    @property
    def _left(self) -> float:
        """The seconds that are left for trials."""
        return self.clock.left - RESERVE * (self.clock.limit or 0.0)

    def _next(self, study: Study, best: Trial | None) -> Trial | None:
        """Train the next trial, and return the best one so far."""
        number = len(self.journal.ended)
        suggestion = study.ask(number)
        settings = study.settings(suggestion)
        same = self.journal.same(settings)
        if same is not None:
            trial = replace(same, number=number, suggested=dict(suggestion.params), repeats=same.number, seconds=0.0)
        else:
            is_pruned = partial(study.is_pruned, suggestion) if self.prune else lambda epoch, monitor: False
            try:
                trial = self.trainer.train(number, settings, suggestion.params, is_pruned, lambda: self._left < 0)
            except TimeIsOver:
                self.stopped = Sentence("tune.time")
                return best
        study.tell(trial, suggestion)
        self.journal.add(trial, self.clock.spent)
        return self._report(trial, best)

    def _report(self, trial: Trial, best: Trial | None) -> Trial | None:
        """Send a trial to the observer, delete what is not needed, and return the best trial so far."""
        now = self.journal.best if trial is self.journal.ended[-1] else _better(trial, best)
        is_best = now is not None and now.number == trial.number
        single = next(iter(trial.metrics.values())) if len(trial.metrics) == 1 else ""
        value = trial.scores[next(iter(trial.scores))] if single else trial.goodness
        self.observer.observe(TrialEvent(
            number=trial.number, settings=dict(trial.settings), state=trial.state if trial.repeats is None else "repeated",
            metric=single, value=value, reason=trial.reason, epochs=len(trial.curve), seconds=trial.seconds, best=is_best,
            total=max(self.most, len(self.journal.ended)),
        ))  # fmt: skip
        for one in (trial, best):
            if one is not None and one.repeats is None:
                self.trainer.clear(one, now is not None and one.number == now.number)
        return now

    def conclude(self, folder: Path | None) -> TuneResult:
        """Return the results of the search as plain data, and write its files."""
        ended, best = self.journal.ended, self.journal.best
        if best is None:
            raise UserError(self._nothing(folder))
        experiment, journal = self.trainer.experiment(best.number, self.resolved.experiment)
        place = self.trainer.place(best.number)
        resolved = self.trainer.resolved(best.settings)
        sources = resolved.source, resolved.valid, resolved.test
        test = measure_test_later(load(place), resolved.experiment, sources, place, journal, self.observer)
        result: dict[str, Any] = plain({
            "table": Path(self.resolved.source.name).name, "rows": self.resolved.source.rows,
            "space": [one.facts() for one in self.space], "trials": [_row(one) for one in ended],
            "best": {**_row(best), "metrics": dict(best.metrics), "run": None if folder is None else str(place)},
            "test": test, "statement": statement(best, ended, test, self.stopped), "stopped": self.stopped,
            "seed": self.resolved.experiment.seed, "seconds": round(self.clock.spent, 1), "time_limit": self.clock.limit,
        })  # fmt: skip
        if folder is not None:
            written = experiment.with_absolute_paths()
            bodies = {RESULTS: json.dumps(result, ensure_ascii=False, indent=1) + "\n", BEST: explain(written, journal.reasons)}
            write_texts(folder, bodies)
        return TuneResult(result)

    def _nothing(self, folder: Path | None) -> str:
        """Return the message about a search without a complete trial."""
        failed = [one for one in self.journal.ended if one.state == FAILED]
        if failed:
            return f"tune: all trials failed ({len(failed)}); the first: {failed[0].reason}"
        again = f"set a longer {spelled('--time-limit', 'time_limit')}" + (", with which the same call goes on" if folder else "")
        return (
            f"tune: no trial ended within the time limit of {self.clock.limit:g} s; {again}, or make the trials shorter "
            f"({spelled('--preset fast', 'preset=fast')}, training.epochs)"
        )


def _size(space: Sequence[Dimension]) -> float:
    """Return the number of combinations of a space."""
    size = 1.0
    for one in space:
        size *= one.size
    return size


def _better(trial: Trial, best: Trial | None) -> Trial | None:
    """Return the better of a trial and the best one before it."""
    if trial.state != COMPLETE or trial.repeats is not None or trial.goodness is None:
        return best
    return trial if best is None or best.goodness is None or trial.goodness > best.goodness else best


def _row(trial: Trial) -> dict[str, Any]:
    """Return a trial as a row of the table of trials."""
    return {
        "number": trial.number, "state": trial.state, "goodness": trial.goodness, "scores": dict(trial.scores),
        "errors": dict(trial.errors),
        "settings": dict(trial.settings), "epochs": len(trial.curve), "seconds": trial.seconds, "reason": trial.reason,
        "repeats": trial.repeats,
    }  # fmt: skip


def statement(best: Trial, ended: Sequence[Trial], test: Mapping[str, Any] | None, stopped: str) -> str:
    """Return what the figure of the best trial means, in words."""
    trained = sum(one.repeats is None for one in ended)
    why = Sentence("tune.stopped", why=stopped) if stopped else ""
    parts = [Sentence("tune.best" if trained > 1 else "tune.only", number=best.number, trials=trained, stopped=why)]
    if trained > 1:
        parts.append(Sentence("tune.optimistic"))
    if test is None:
        parts.append(Sentence("tune.no_test"))
    else:
        figures = [f"{name}: {best.metrics[name]} {_number(test['tasks'][name].get(best.metrics[name]))}" for name in best.metrics]
        parts.append(Sentence("tune.test", rows=test["rows"], figures=", ".join(figures)))
    return Sentence.joined(parts)


def _number(value: float | None) -> str:
    """Return a value of a metric with four decimals."""
    return "undefined" if value is None else f"{value:z.4f}"
