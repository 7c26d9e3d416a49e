"""``compare``: from a table to a verdict, an HTML page of it, and the best configuration."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Unpack

import torch

from ..config import absolute, explain, override, request_of
from ..data.sources import Source
from ..ensemble.boosting import TreeTraining
from ..errors import UserError, spelled
from ..evaluation.paired import FEWEST_ROUNDS
from ..experiment import Experiment
from ..journal import code_of
from ..language import Sentence
from ..pages import comparison_page
from ..preparation import Prepared, prepare
from ..request import ComparisonSettings, Request, TrainingSettings, accepts, declared, listed
from ..runs.resolution import Resolved, resolve
from ..runs.run import Interrupted
from ..runs.signals import Stop, StoppedAtOnce
from ..storage import Lock, OutputFolder, discard_replaced, write_texts, write_whole
from ..training.clock import Clock
from ..training.console import observers_of
from ..training.events import NoteEvent, WarningEvent
from ..training.observers import Observer, Observers, plain
from .contenders import Contender, contenders, own_with_trees, settings_of
from .grid import LOG, Grid, Log
from .process_pool import Stopped, can_fork
from .process_pool import usual as usual_jobs
from .resampling import Rounds, dealt
from .result import ComparisonResult
from .schedule import Course
from .schedule import play as play_course
from .verdict import judged

RESULTS, PAGE, BEST, ARGUMENTS = "compare.json", "compare.html", "best.yaml", "asked.json"
"""The files of a comparison, beside its journal ``LOG``: the results as data and as a page, the best configuration, and the arguments."""
_COMPARED = ("fusions", "also", "trials", "rounds")
_RESUMABLE = ("table", "overrides", "target", "columns", "ignore", "group", "split", "root", "on_error", "seed", *_COMPARED, "time_limit")


@accepts(ComparisonSettings)
def compare(
    table: Any,
    *overrides: str,
    fusions: Sequence[str] = (),
    also: Sequence[str] | None = None,
    trials: int = 4,
    rounds: int = 5,
    jobs: int | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    observers: Sequence[Observer] = (),
    verbose: bool | int | None = None,
    start: float | None = None,
    **settings: Unpack[ComparisonSettings],
) -> ComparisonResult:
    """Return whether fusion helps on a table: every single field and every fusion is tuned alike and measured on the same rows.

    :param table: what ``train`` takes
    :param overrides: ``path=value`` settings, which take precedence over everything else
    :settings:
    :param fusions: names on the menu; none = all of the menu that can fuse these fields
    :param also: settings (``path=value``) under which each fusion takes part once more; None = only the experiment's own fusion (else the
        first) does, with balancing (``training.balance.kind=ogm_ge``), or without it if the experiment has it, and with boosted trees if
        ``train`` would have them; () or "none" = none does
    :param trials: the number of settings tried for every contender, 1 to 4: other learning rates, other regularisation
    :param rounds: the number of trainings of each contender that are measured, 2 to 10; each on other rows if the table does not determine
        which. Two rounds give no interval, and their verdict is always undecided
    :param jobs: the number of trainings at a time, each in a process with one thread; it does not change results. None = one for each core,
        at most 8; always one without ``fork`` or on an accelerator
    :param out: the folder for ``compare.json`` (the returned data), ``compare.html``, ``best.yaml`` and the journal; None = nothing is kept
    :param overwrite: whether an existing comparison in ``out`` is replaced
    :param verbose: what is shown of the progress: True or 1 = notes and a line for each training, with a bar on a terminal or in a
        notebook; False = nothing; None = 1 on a terminal and in a notebook, otherwise nothing
    :returns: a dict whose keys are attributes too, and which prints as a summary: ``{"targets": {name: {"sentence", "verdict",
        "contenders", ...}}, "contenders": {...}, "best": ..., ...}``
    :raises UserError: an argument, a setting or the data is invalid
    :raises Interrupted: the process received a signal; the trainings that were completed are kept in ``out`` for ``resume_compare``
    """
    request = request_of(Experiment, compare, table, overrides, settings, ComparisonSettings)
    if not 1 <= trials <= 4:
        raise UserError(f"trials: {trials}; expected 1 to 4{spelled(' (--trials)', '')}")
    if jobs is not None and jobs < 1:
        raise UserError(f"jobs: {jobs}; expected 1 or more trainings at a time{spelled(' (--jobs)', '')}")
    if not 2 <= rounds <= 10:
        fix = f"set {spelled('--rounds ', 'rounds=')}{FEWEST_ROUNDS}"
        raise UserError(f"rounds: {rounds}; expected {FEWEST_ROUNDS} to 10, or 2, which give no interval; {fix}")
    also = None if also is None else [setting for setting in listed(also) if setting != "none"]
    arguments = {
        "table": absolute(table) if isinstance(table, (str, Path)) else None, "overrides": list(overrides), **_plain(request.settings),
        "fusions": listed(fusions), "also": also, "trials": trials, "rounds": rounds,
    }  # fmt: skip
    if out is not None and (reason := _output_folder(Path(out), ()).refusal(overwrite)) is not None:
        raise UserError(reason)  # before the table is read
    resolved = _resolve(request)
    arguments["target"] = list(resolved.experiment.tasks) if "target" in request.settings else None
    with _folder(out, overwrite, resolved.experiment) as folder:
        if out is not None:
            write_whole(folder / ARGUMENTS, json.dumps(arguments, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"))
        own = observers_of(verbose, observers)
        return _compare(resolved, arguments, folder, out is not None, jobs, own, start, force=False)


def resume_compare(
    out: str | Path,
    table: Any = None,
    *,
    jobs: int | None = None,
    force: bool = False,
    observers: Sequence[Observer] = (),
    verbose: bool | int | None = None,
    start: float | None = None,
) -> ComparisonResult:
    """Resume a comparison that was interrupted or killed. The results are the same as without the interruption.

    :param out: the folder of the comparison
    :param table: the table, if it was not a file or has moved
    :param jobs: as in ``compare``
    :param force: whether to resume although the code differs from what it was; other differences cannot be forced
    :param verbose: what is shown of the progress: True or 1 = notes and a line for each training, with a bar on a terminal or in a
        notebook; False = nothing; None = 1 on a terminal and in a notebook, otherwise nothing
    :returns: as ``compare``
    :raises UserError: something differs, another process works in the folder, or it contains no comparison
    :raises Interrupted: as ``compare``
    """
    folder = Path(out)
    try:
        arguments = json.loads((folder / ARGUMENTS).read_bytes())
        missing = [name for name in _RESUMABLE if name not in arguments]
        if missing:
            raise ValueError(f"without {missing[0]}")
    except (OSError, ValueError, TypeError) as error:
        why = f"{ARGUMENTS}: {error.strerror}" if isinstance(error, OSError) else error
        raise UserError(
            f"{folder}: no comparison to go on with ({why}); expected the folder of a comparison; begin one: polymodal compare TABLE "
            f"--target COL -o FOLDER"
        ) from None
    table = table if table is not None else arguments["table"]
    if table is None:
        raise UserError(f"{folder}: its table came from memory; expected it again; give it: table=...")
    with Lock(folder):
        settings = {name: arguments[name] for name in declared(ComparisonSettings) if name in arguments}
        resolved = _resolve(Request.of(table, arguments["overrides"], settings))
        return _compare(resolved, arguments, folder, True, jobs, observers_of(verbose, observers), start, force)


def _output_folder(folder: Path, inputs: Sequence[str]) -> OutputFolder:
    """Return the policy for the folder of a comparison: files of the user in it are left alone."""
    entries = (LOG, RESULTS, PAGE, BEST, ARGUMENTS, "faults.csv")
    return OutputFolder(folder, "a comparison", "-o FOLDER", marker=ARGUMENTS, begun=LOG, entries=entries, inputs=inputs)


@contextmanager
def _folder(out: str | Path | None, overwrite: bool, experiment: Experiment) -> Iterator[Path]:
    """Give the folder of a comparison: ``out`` by the policy for output folders, or a temporary one if nothing is to be kept."""
    if out is None:
        with TemporaryDirectory(prefix="polymodal-") as name:
            yield Path(name)
    else:
        with _output_folder(Path(out), experiment.paths).claim(overwrite) as folder:
            yield folder


def _plain(settings: TrainingSettings) -> dict[str, Any]:
    """Return the settings of a comparison as plain data, from which it can be resumed; None = a setting was not given."""
    plain: dict[str, Any] = {name: settings.get(name) for name in declared(ComparisonSettings)}
    several = {"ignore": listed(settings.get("ignore", ())), "root": [absolute(folder) for folder in listed(settings.get("root", ()))]}
    return {**plain, **several, "columns": dict(settings.get("columns") or {})}


def _resolve(request: Request) -> Resolved:
    """Return the experiment of a comparison and its table.

    :raises UserError: the request cannot be run, or it has a table of its own to validate or to test on
    """
    resolved = resolve(request)
    for name in ("valid", "test"):
        if getattr(resolved.experiment.data, name) is not None:
            raise UserError(
                f"data.{name}: a table of its own; compare splits one table into rows that train, choose and measure; leave it out"
            )
    return resolved


def _compare(
    resolved: Resolved, arguments: Mapping[str, Any], place: Path, keep: bool, jobs: int | None, observers: Sequence[Observer],
    start: float | None, force: bool,
) -> ComparisonResult:  # fmt: skip
    """Run a comparison, or what is left of it, and write its files.

    :param place: its folder, or a temporary one
    :param keep: whether files are written
    """
    observer, stop = Observers(observers), Stop()
    for line in resolved.unread_lines:
        warnings.warn(line, UserWarning, stacklevel=3)
    for one in resolved.left_out:
        if not one.unread:
            observer.observe(NoteEvent(one.line))
    experiment = dealt(resolved.experiment, resolved.source, arguments["rounds"])
    taking_part, refused = contenders(experiment, arguments["fusions"], arguments["also"])
    clock = Clock(experiment.training.time_limit, start)
    try:
        with stop, torch.random.fork_rng(devices=[]):
            note = partial(_note, observer)
            prepared = prepare(experiment, resolved.source, None, place, None, note, resolved.guessed, resolved.guessed_columns)
            for line in prepared.warnings:
                observer.observe(WarningEvent(line))
            try:
                rounds = Rounds.of(prepared, arguments["rounds"])
                boosted = own_with_trees(taking_part) if arguments["also"] is None and experiment.model.trees is not None else None
                if boosted is not None:
                    part = rounds.split(0, rounds.most, experiment.seed)
                    trees = TreeTraining(replace(prepared, experiment=boosted.experiment(experiment, 0, 0), split=part))
                    if trees.wanted:
                        taking_part.append(boosted)
                    elif trees.is_missed:
                        refused[boosted.name] = trees.refusal
                about = {
                    "content": prepared.content(),
                    "experiment": experiment.tree(),
                    "code": code_of(experiment),
                    "asked": {name: arguments[name] for name in _COMPARED},
                }
                log = Log(place / LOG if keep else None, about, force, partial(_warn, observer))
                discard_replaced(place)
                clock.start -= log.spent
                stop.gently = True
                grid = _grid(experiment, prepared, rounds, log, clock, observer, stop, jobs)
                _report_start(observer, grid, taking_part, refused)
                course = _play(grid, taking_part, arguments["trials"], arguments["rounds"])
                results = _results(grid, course, taking_part, refused, resolved.source)
                best = next((one for one in taking_part if one.name == results["best"]), None)
                if keep:
                    chosen = None if best is None else _best(resolved.experiment, best, course)
                    _write(place, results, chosen, resolved.reasons, resolved.experiment.report.language)
            finally:
                prepared.close()
    except (Stopped, StoppedAtOnce):
        raise Interrupted(None, stop.signal, place if keep else None) from None
    finally:
        observer.close()
    return ComparisonResult(results)


def _note(observer: Observer, text: str) -> None:
    """Send a note to an observer."""
    observer.observe(NoteEvent(text))


def _warn(observer: Observer, text: str) -> None:
    """Send a warning to an observer."""
    observer.observe(WarningEvent(text))


def _grid(
    experiment: Experiment, prepared: Prepared, rounds: Rounds, log: Log, clock: Clock, observer: Observer, stop: Stop, jobs: int | None
) -> Grid:
    """Return the grid, with the number of threads that the comparison began with."""
    device = experiment.training.device
    own = can_fork(device) and log.decisions.get("threads", 1) == 1
    at_once = (jobs or usual_jobs(device)) if own else 1
    grid = Grid(experiment, prepared, rounds, log, clock, observer, lambda: stop.requested, at_once)
    grid.decide("threads", lambda: 1 if own else torch.get_num_threads())
    return grid


def _play(grid: Grid, taking_part: Sequence[Contender], trials: int, rounds: int) -> Course:
    """Return the course of the comparison, computed with the number of threads that it began with."""
    threads = torch.get_num_threads()
    torch.set_num_threads(grid.threads)
    try:
        return play_course(grid, taking_part, trials, rounds)
    finally:
        grid.close()
        torch.set_num_threads(threads)


def _report_start(observer: Observer, grid: Grid, taking_part: Sequence[Contender], refused: Mapping[str, str]) -> None:
    """Send the contenders and the numbers of rows to an observer."""
    rounds = grid.rounds
    alone = sum(one.field is not None for one in taking_part)
    again = sum(bool(one.of) for one in taking_part)
    fused = len(taking_part) - alone - again
    key = "compare.take_part_again" if again else "compare.take_part"
    observer.observe(NoteEvent(Sentence(key, fields=alone, fusions=fused, again=again, contenders=len(taking_part))))
    for name, reason in refused.items():
        observer.observe(NoteEvent(Sentence("compare.refused", contender=name, why=reason)))
    measured = len({int(row) for part in rounds.measure for row in part})
    counts = {"training": rounds.most, "rounds": len(rounds.train), "selecting": len(rounds.choose), "measured": measured}
    observer.observe(NoteEvent(Sentence("compare.divided", **counts)))
    if grid.log.cells:
        observer.observe(NoteEvent(Sentence("compare.goes_on", trainings=len(grid.log.cells))))


def _results(grid: Grid, course: Course, taking_part: Sequence[Contender], refused: Mapping[str, str], source: Source) -> dict[str, Any]:
    """Return the results of a comparison as plain data: what ``compare`` returns."""
    facts = {}
    for one in taking_part:
        search = course.search[one.name]
        cells = [cells[one.name] for cells in course.rounds if one.name in cells]
        failed = search.failed or course.failed.get(one.name, "")
        facts[one.name] = {
            "field": one.field, "trial": course.trial[one.name], "settings": settings_of(grid.experiment, course.trial[one.name]),
            "search": search.goodness, "search_scores": dict(search.scores), "search_stage": search.stage, "search_rows": search.rows,
            "search_best": _best_of(course, search.stage), "rounds": len(cells), "parameters": search.parameters,
            "seconds": sum(cell.seconds for cell in cells) / len(cells) if cells else search.seconds, "failed": failed,
        }  # fmt: skip
    verdicts = judged(grid, course, taking_part, grid.experiment.seed)
    result: dict[str, Any] = plain({
        "table": Path(source.name).name, "rows": source.rows, **verdicts, "contenders": facts, "refused": dict(refused),
        "trials": course.trials, "rounds": len(course.rounds), "seed": grid.experiment.seed, "seconds": round(grid.clock.spent, 1),
        "time_limit": grid.clock.limit,
    })  # fmt: skip
    return result


def _best_of(course: Course, stage: str) -> dict[str, float | None]:
    """Return the scores of the best contender of one stage of the search, which are comparable with the other scores of that stage."""
    best = max((cell for cell in course.search.values() if cell.stage == stage), key=lambda cell: cell.goodness)
    return dict(best.scores)


def _best(experiment: Experiment, best: Contender, course: Course) -> Experiment:
    """Return the experiment of the best contender, with the split of the request and absolute paths."""
    experiment = experiment.with_absolute_paths()
    if best.field is not None:
        experiment = experiment.model_copy(update={"training": experiment.training.alone(best.field)})
    without = [] if best.trees else ["model.trees=null"]  # as it was compared
    tree, _ = override(experiment.tree(), [*best.overrides, *settings_of(experiment, course.trial[best.name]), *without])
    if best.field is not None:
        tree["fields"] = {best.field: tree["fields"][best.field]}
        tree["model"]["encoders"] = {best.field: tree["model"]["encoders"][best.field]}
    tree["training"]["time_limit"] = None
    return Experiment.of(tree)


def _write(place: Path, results: Mapping[str, Any], best: Experiment | None, reasons: Mapping[str, str], language: str) -> None:
    """Write the files of a comparison."""
    bodies = {RESULTS: json.dumps(results, ensure_ascii=False, indent=1) + "\n", PAGE: comparison_page(results, language)}
    write_texts(place, bodies if best is None else {**bodies, BEST: explain(best, reasons)})
