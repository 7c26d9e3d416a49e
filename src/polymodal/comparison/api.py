"""``compare``: from a table to a verdict, a page of it, and the best configuration."""

from __future__ import annotations

import json
import shlex
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ..config import explain, override
from ..data.sources import Source
from ..errors import UserError
from ..evaluation.paired import FEWEST_ROUNDS
from ..experiment import Experiment
from ..flow import Folders, Names, listed
from ..modalities import OnError
from ..preparation import Prepared, prepare
from ..runs.journal import code_of
from ..runs.request import resolve
from ..runs.run import Interrupted
from ..runs.signals import Stop, StoppedAtOnce
from ..storage import Lock, write_texts, write_whole
from ..training.clock import Clock
from ..training.observers import Observer, Observers, plain
from .contenders import Contender, contenders, settings_of
from .grid import LOG, Grid, Log
from .page import page
from .process_pool import Stopped, can_fork
from .process_pool import usual as usual_jobs
from .resampling import Rounds, dealt
from .schedule import Course
from .schedule import play as play_course
from .verdict import judged

FOUND, PAGE, BEST, ARGUMENTS = "compare.json", "compare.html", "best.yaml", "asked.json"
_ARGUMENTS = ("table", "overrides", "target", "columns", "ignore", "group", "split", "root", "on_error", "seed")
_RESUMABLE = (*_ARGUMENTS, "fusions", "also", "trials", "rounds", "time_limit")


def compare(
    table: Any,
    *overrides: str,
    target: Any = None,
    columns: Mapping[str, str] | None = None,
    ignore: Names = (),
    group: str | None = None,
    split: str | None = None,
    root: Folders = (),
    on_error: OnError | None = None,
    seed: int | None = None,
    fusions: Sequence[str] = (),
    also: Sequence[str] | None = None,
    trials: int = 4,
    rounds: int = 5,
    time_limit: str | float | None = None,
    encoding: str | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    observers: Sequence[Observer] = (),
    start: float | None = None,
) -> dict[str, Any]:
    """Whether fusing helps on a table: every single field, and every fusion, tuned alike and measured on the same rows.

    :param table: what ``train`` takes, as are all settings that are not named here
    :param fusions: names on the menu; none = all of it that can fuse these fields
    :param also: settings (``path=value``) under which each fusion takes part once more; None = only the experiment's own fusion (else the
        first) does, with balancing (``training.balance.kind=ogm_ge``), or without it where the experiment has it; () = none does
    :param trials: settings tried for every contender, 1 to 4: other learning rates, other regularisation
    :param rounds: trainings of each contender that are measured, 2 to 10; each on other rows where the table does not say which. Two
        rounds give no interval, and their verdict is always undecided
    :param time_limit: seconds, or 90s, 20m, for the whole call; what rows, trials, fusions and rounds fit is found on the way
    :param encoding: of a CSV or JSON file (``data.encoding``); None = found out
    :param jobs: trainings at a time, each in a process and on one thread; changes no bit; None = one a core, 8 at most. One where there is
        no ``fork``, or an accelerator trains
    :param out: a folder for ``compare.json`` (what is returned), ``compare.html``, ``best.yaml`` and what was found so far
    :returns: ``{"targets": {name: {"sentence", "verdict", "contenders", ...}}, "contenders": {...}, "best": ..., ...}``
    :raises UserError: a mistake in what was given
    :raises Interrupted: a signal; what was found so far is kept in ``out``, and the same call with ``resume_compare`` goes on
    """
    if not 1 <= trials <= 4:
        raise UserError(f"trials: {trials}; expected 1 to 4 (--trials)")
    if jobs is not None and jobs < 1:
        raise UserError(f"jobs: {jobs}; expected 1 or more trainings at a time (--jobs)")
    if not 2 <= rounds <= 10:
        raise UserError(f"rounds: {rounds}; expected {FEWEST_ROUNDS} to 10, or 2, which give no interval; set --rounds {FEWEST_ROUNDS}")
    said = [*overrides, *([f"data.encoding={encoding}"] if encoding is not None else [])]
    arguments = {
        "table": str(Path(table).resolve()) if isinstance(table, (str, Path)) else None, "overrides": said,
        "target": target, "columns": dict(columns or {}),
        "ignore": listed(ignore), "group": group, "split": split, "on_error": on_error,
        "root": [str(Path(one).resolve()) for one in listed(root)],
        "seed": seed, "fusions": listed(fusions), "also": None if also is None else listed(also), "trials": trials, "rounds": rounds,
        "time_limit": time_limit,
    }  # fmt: skip
    folder = None if out is None else Path(out)
    made = folder is not None and _make(folder, overwrite)
    try:
        with _held(folder) as place:
            return _compare(table, arguments, place, folder is not None, jobs, observers, start, fresh=True)
    except UserError:
        if made and folder is not None and not (folder / LOG).exists():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def resume_compare(
    out: str | Path, table: Any = None, *, jobs: int | None = None, observers: Sequence[Observer] = (), start: float | None = None
) -> dict[str, Any]:
    """Go on with a comparison that was broken off, where it was; ``table`` where it came from memory."""
    folder = Path(out)
    try:
        arguments = json.loads((folder / ARGUMENTS).read_bytes())
        missing = [name for name in _RESUMABLE if name not in arguments]
        if missing:
            raise ValueError(f"without {missing[0]}")
    except (OSError, ValueError, TypeError) as error:
        why = f"{ARGUMENTS}: {error.strerror}" if isinstance(error, OSError) else error
        raise UserError(
            f"{folder}: no comparison to go on with ({why}); begin one: polymodal compare TABLE --target COL -o FOLDER"
        ) from None
    table = table if table is not None else arguments["table"]
    if table is None:
        raise UserError(f"{folder}: its table came from memory; expected it again (table=...)")
    with _held(folder) as place:
        return _compare(table, arguments, place, True, jobs, observers, start)


@contextmanager
def _held(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with TemporaryDirectory(prefix="polymodal-") as name:
            yield Path(name)
        return
    with Lock(folder):
        yield folder


def _make(folder: Path, overwrite: bool) -> bool:
    """Whether the folder was made just now; one that holds a comparison is left as it is until there is something to replace it with."""
    if folder.exists():
        if not overwrite:
            again = f", or go on with it: --resume {shlex.quote(str(folder))}" if (folder / ARGUMENTS).exists() else ""
            raise UserError(f"{folder}: already there; choose another folder (-o FOLDER), or replace it: --overwrite{again}")
        if not folder.is_dir() or not (folder / ARGUMENTS).is_file():
            raise UserError(f"{folder}: no comparison, so it is not replaced; choose another folder (-o FOLDER)")
        return False
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror or error}); choose another folder (-o FOLDER)") from None
    return True


def _compare(
    table: Any, arguments: Mapping[str, Any], place: Path, keep: bool, jobs: int | None, observers: Sequence[Observer], start: float | None,
    fresh: bool = False,
) -> dict[str, Any]:  # fmt: skip
    observer, stop = Observers(observers), Stop()
    given = resolve(
        table, arguments["overrides"], target=arguments["target"], columns=arguments["columns"] or None, ignore=arguments["ignore"],
        group=arguments["group"], split=arguments["split"], valid=None, test=None, root=arguments["root"], on_error=arguments["on_error"],
        seed=arguments["seed"],
        time_limit=arguments["time_limit"],
    )  # fmt: skip
    for one in given.left_out:
        if one.unread:
            warnings.warn(f"{given.source.name}, {one.line}", UserWarning, stacklevel=3)
        else:
            observer.observe("note", {"text": one.line})
    for name in ("valid", "test"):
        if getattr(given.experiment.data, name) is not None:
            raise UserError(
                f"data.{name}: a table of its own; compare splits one table into rows that train, choose and measure; leave it out"
            )
    arguments = {**arguments, "target": None if arguments["target"] is None else list(given.experiment.tasks)}
    experiment = dealt(given.experiment, given.source, arguments["rounds"])
    taking_part, refused = contenders(experiment, arguments["fusions"], arguments["also"])
    clock = Clock(experiment.training.time_limit, start)
    try:
        with stop, torch.random.fork_rng(devices=[]):
            note = partial(_note, observer)
            prepared = prepare(experiment, given.source, None, place, None, note, given.guessed)
            for line in prepared.warnings:
                observer.observe("warning", {"text": line})
            try:
                rounds = Rounds.of(prepared, arguments["rounds"])
                # What is compared depends on these: a comparison goes on only where none of them differs.
                about = {
                    "content": prepared.content(),
                    "experiment": _free(experiment),
                    "code": code_of(experiment),
                    "asked": _part(arguments),
                }
                if keep and fresh:
                    for name in (LOG, FOUND, PAGE, BEST):
                        (place / name).unlink(missing_ok=True)
                    write_whole(place / ARGUMENTS, json.dumps(arguments, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"))
                log = Log(place / LOG if keep else None, about)
                clock.start -= log.spent
                stop.gently = True
                grid = _grid(experiment, prepared, rounds, log, clock, observer, stop, jobs)
                _tell(observer, grid, taking_part, refused)
                course = _play(grid, taking_part, arguments["trials"], arguments["rounds"])
                found = _found(grid, course, taking_part, refused, given.source)
                best = next((one for one in taking_part if one.name == found["best"]), None)
                if keep:
                    _write(place, found, None if best is None else _best(given.experiment, best, course), given.reasons)
            finally:
                prepared.close()
    except (Stopped, StoppedAtOnce):
        raise Interrupted(None, stop.signal, place if keep else None) from None
    finally:
        observer.close()
    return found


def _note(observer: Observer, text: str) -> None:
    observer.observe("note", {"text": text})


def _grid(
    experiment: Experiment, prepared: Prepared, rounds: Rounds, log: Log, clock: Clock, observer: Observer, stop: Stop, jobs: int | None
) -> Grid:
    device = experiment.training.device
    own = can_fork(device) and log.decisions.get("threads", 1) == 1
    at_once = (jobs or usual_jobs(device)) if own else 1
    grid = Grid(experiment, prepared, rounds, log, clock, observer, lambda: stop.requested, at_once)
    grid.decide("threads", lambda: 1 if own else torch.get_num_threads())
    return grid


def _play(grid: Grid, taking_part: Sequence[Contender], trials: int, rounds: int) -> Course:
    """The course, on the threads that it began with."""
    threads = torch.get_num_threads()
    torch.set_num_threads(grid.threads)
    try:
        return play_course(grid, taking_part, trials, rounds)
    finally:
        grid.close()
        torch.set_num_threads(threads)


def _free(experiment: Experiment) -> dict[str, Any]:
    """The experiment without what changes no figure."""
    tree = experiment.tree()
    data = {name: value for name, value in tree["data"].items() if name not in ("table", "root", "cache_gb", "features_gb")}
    training = {name: value for name, value in tree["training"].items() if name not in ("workers", "time_limit")}
    return {**tree, "data": data, "training": training}


def _part(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: arguments[name] for name in ("fusions", "also", "trials", "rounds")}


def _tell(observer: Observer, grid: Grid, taking_part: Sequence[Contender], refused: Mapping[str, str]) -> None:
    rounds = grid.rounds
    alone = sum(one.field is not None for one in taking_part)
    observer.observe("note", {"text": f"{alone} single fields and {len(taking_part) - alone} fusions take part"})
    for name, reason in refused.items():
        observer.observe("note", {"text": f"{name} does not take part: {reason}"})
    measured = len({int(row) for part in rounds.measure for row in part})
    text = f"{rounds.most:,} rows can train in each of {len(rounds.train)} rounds, {len(rounds.choose):,} choose, {measured:,} measure"
    observer.observe("note", {"text": text})
    if grid.log.cells:
        observer.observe("note", {"text": f"goes on: {len(grid.log.cells):,} trainings were done before"})


def _found(grid: Grid, course: Course, taking_part: Sequence[Contender], refused: Mapping[str, str], source: Source) -> dict[str, Any]:
    facts = {}
    for one in taking_part:
        search = course.search[one.name]
        cells = [cells[one.name] for cells in course.rounds if one.name in cells]
        failed = search.failed or course.failed.get(one.name, "")
        facts[one.name] = {
            "field": one.field, "trial": course.trial[one.name], "settings": settings_of(grid.experiment, course.trial[one.name]),
            "search": search.worth, "search_scores": dict(search.scores), "search_stage": search.stage, "search_rows": search.rows,
            "search_best": _best_of(course, search.stage), "rounds": len(cells), "parameters": search.parameters,
            "seconds": sum(cell.seconds for cell in cells) / len(cells) if cells else search.seconds, "failed": failed,
        }  # fmt: skip
    verdicts = judged(grid, course, taking_part, grid.experiment.seed)
    return plain({
        "table": Path(source.name).name, "rows": source.rows, **verdicts, "contenders": facts, "refused": dict(refused),
        "trials": course.trials, "rounds": len(course.rounds), "seed": grid.experiment.seed, "seconds": round(grid.clock.spent, 1),
        "time_limit": grid.clock.limit,
    })  # type: ignore[no-any-return]  # fmt: skip


def _best_of(course: Course, stage: str) -> dict[str, float | None]:
    """The scores of the best contender of one stage of the search: those that a score of this stage can be compared with."""
    best = max((cell for cell in course.search.values() if cell.stage == stage), key=lambda cell: cell.worth)
    return dict(best.scores)


def _best(experiment: Experiment, best: Contender, course: Course) -> Experiment:
    """What the rows that choose liked best, with the split and the paths that were asked for."""
    data = experiment.data
    placed = {"root": [str(Path(one).resolve()) for one in data.root]}
    if data.table is not None:
        placed["table"] = str(Path(data.table).resolve())  # type: ignore[assignment]
    experiment = experiment.model_copy(update={"data": data.model_copy(update=placed)}).with_models_at(Path.cwd())
    if best.field is not None:
        experiment = experiment.model_copy(update={"training": experiment.training.alone(best.field)})
    tree, _ = override(experiment.tree(), [*best.overrides, *settings_of(experiment, course.trial[best.name])])
    if best.field is not None:
        tree["fields"] = {best.field: tree["fields"][best.field]}
        tree["model"]["encoders"] = {best.field: tree["model"]["encoders"][best.field]}
    tree["training"]["time_limit"] = None
    return Experiment.of(tree)


def _write(place: Path, found: Mapping[str, Any], best: Experiment | None, reasons: Mapping[str, str]) -> None:
    bodies = {FOUND: json.dumps(found, ensure_ascii=False, indent=1) + "\n", PAGE: page(found)}
    write_texts(place, bodies if best is None else {**bodies, BEST: explain(best, reasons)})
