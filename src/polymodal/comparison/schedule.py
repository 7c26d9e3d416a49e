"""The course of a comparison: a search for the settings of each contender, then rounds that measure.

Without a time limit, every contender takes part in all rounds. With one, the course is successive halving (Jamieson and Talwalkar 2016,
arXiv:1502.07943): the search uses few rows, and as many trials as fit, the same number for every contender; then the better half of the
fusions continues with twice the rows, if enough time is left for the rounds, until three are left (always including the experiment's own
fusion), or fewer if three rounds would not fit. The number of rows of the last rounds and the number of rounds are those that fit. Single
fields are never dropped. Every choice is made on rows that never measure. Numbers of rows are planned in steps of a half, so that a
slightly slower machine plans the same.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..ensemble.plan import RESERVE
from ..ensemble.trials import try_out
from ..errors import TrainingError
from ..flow import FUSED
from .contenders import MULTIPLES, Contender
from .grid import Cell, Grid

_LAST = 3  # the number of fusions in the rounds under a time limit
_FEWEST_ROUNDS, _TELLING_ROUNDS, _PLANNED_ROUNDS = 2, 3, 4  # after two, Student's t makes intervals three times as wide as after three
_PASS, _SEARCH, _HALVING = (
    0.1,
    0.25,
    0.4,
)  # shares of the time for a first pass over all contenders, for all trials, and for the search and the halving
_FEWEST_ROWS, _USUAL_SEARCH = 120, 1_000
_STEP = 1.5  # the factor between two numbers of rows that may be planned
_SAFE = 0.9  # the share of the remaining time that is planned
_RAN = 0.9  # the share of the maximum epochs that is planned, as most trainings stop early
_ANSWER = 0.25  # the cost of predicting a row, relative to training on it


@dataclass
class Course:
    """The trials and rounds of a comparison that were completed."""

    trials: int = 0
    """The number of trials of each contender."""
    search_rows: int = 0
    """The number of training rows of the search."""
    trial: dict[str, int] = field(default_factory=dict)
    """By contender, the trial that the search chose."""
    search: dict[str, Cell] = field(default_factory=dict)
    """By contender, its best cell of the last stage of the search in which it took part."""
    rounds: list[dict[str, Cell]] = field(default_factory=list)
    """By round, the cell of each contender that took part in it."""
    failed: dict[str, str] = field(default_factory=dict)
    """By contender, the reason why its training failed in a round; it is then measured in no round."""
    rows: int = 0
    """The number of training rows of the rounds."""

    @property
    def last(self) -> list[str]:
        """The contenders that were measured in every round."""
        return list(self.rounds[0]) if self.rounds else []


def play(grid: Grid, contenders: Sequence[Contender], trials: int, rounds: int) -> Course:
    """Search the settings of each contender, drop the weaker half of the fusions repeatedly under a time limit, and measure the remaining
    contenders in rounds.

    :param grid: trains the cells, and keeps the decisions
    :param contenders: the contenders
    :param trials: the maximum number of trials of each
    :param rounds: the maximum number of rounds
    """
    course, limited = Course(), grid.clock.limit is not None
    most = grid.rounds.most
    usual = min(most, max(_USUAL_SEARCH, most // 4))
    course.search_rows = grid.decide("search rows", lambda: _first_rows(grid, contenders, usual) if limited else usual)
    _search(grid, contenders, min(trials, len(MULTIPLES)), course, rounds)
    alone = [one for one in contenders if one.field is not None]
    learned = [one for one in contenders if one.field is None and not course.search[one.name].failed]
    fused, boosted = [one for one in learned if not one.trees], [one for one in learned if one.trees]
    rows = course.search_rows
    while limited and len(fused) > _LAST:
        fused = _better_half(fused, course)
        rows = min(2 * rows, most)
        if len(fused) <= _LAST or rows == course.search_rows or not _halves(grid, [*fused, *boosted], course, rows):
            continue
        staying = [*fused, *boosted]
        grid.total = grid.done + len(staying) + _FEWEST_ROUNDS * (len(alone) + _LAST)
        stage = f"search, {rows:,} rows"
        for one in staying:
            grid.put(stage, one, course.trial[one.name], 0, rows)
        grid.wait()
        course.search |= {one.name: grid.cell(stage, one, course.trial[one.name], 0) for one in staying}
    going = [one for one in (*alone, *fused, *boosted) if not course.search[one.name].failed]
    if limited:
        names = grid.decide("going", lambda: _going(grid, going, course, min(rounds, _TELLING_ROUNDS)))
        going = [one for one in going if one.name in names]
    course.rows = grid.decide("rows", lambda: _last_rows(grid, going, course, min(rounds, _PLANNED_ROUNDS)) if limited else most)
    _rounds(grid, going, course, rounds)
    return course


def _search(grid: Grid, contenders: Sequence[Contender], trials: int, course: Course, rounds: int) -> None:
    """Train every trial of every contender, one trial of all contenders after another, so that all have had the same number at any time."""
    grid.total = len(contenders) * (trials + rounds)
    begin = grid.clock.spent
    for trial in range(trials):
        if trial >= grid.log.decisions.get("trials", trials):
            break
        start = time.monotonic()
        for one in contenders:
            grid.put("search", one, trial, 0, course.search_rows)
        grid.wait()
        for one in contenders:
            cell = grid.cell("search", one, trial, 0)
            if one.name not in course.search or _order(cell) > _order(course.search[one.name]):
                course.search[one.name], course.trial[one.name] = cell, trial
        course.trials = trial + 1
        spent, last = grid.clock.spent - begin, time.monotonic() - start
        if grid.clock.limit is not None and trial + 1 < trials and spent + last > _SEARCH * (grid.clock.limit - begin):
            grid.decide("trials", lambda: course.trials)


def _order(cell: Cell) -> tuple[float, float]:
    """Return a key that is larger for a better cell."""
    return cell.goodness, -cell.monitor


def _better_half(fused: Sequence[Contender], course: Course) -> list[Contender]:
    """Return the better half of the fusions, at least ``_LAST``, including the experiment's own fusion."""
    keep = max(_LAST, -(-len(fused) // 2))
    own = [one for one in fused if not one.overrides][:1]
    ranked = sorted((one for one in fused if one not in own), key=lambda one: _order(course.search[one.name]), reverse=True)
    kept = {one.name for one in [*own, *ranked][:keep]}
    return [one for one in fused if one.name in kept]


def _first_rows(grid: Grid, contenders: Sequence[Contender], usual: int) -> int:
    """Return the number of rows of the search with which a pass over all contenders takes its share of the time, as measured by a short
    trial of the first fusion that can be trained."""
    for one in contenders:
        if one.field is None:
            try:
                trial = try_out(grid.trainer(one, 0, 0, usual), FUSED, min(3.0, 0.01 * (grid.clock.limit or 0.0)))
                break
            except TrainingError:  # its training will report the error
                continue
    else:
        return _FEWEST_ROWS
    budget = _PASS * max(grid.clock.left, 1.0)
    weight = _RAN * sum(0.7 if one.field is not None else 1.4 for one in contenders) / grid.jobs
    return _largest(lambda rows: weight * grid.epochs(rows) * trial.epoch(rows, grid.choosing(rows)) <= budget, _FEWEST_ROWS, usual)


def _seconds(grid: Grid, one: Contender, course: Course, rows: int, measured: int = 0) -> float:
    """Return the expected seconds of a training on ``rows`` rows with predictions for ``measured`` others, from the times of the search."""
    cell = course.search[one.name]
    pace = cell.seconds / max(cell.ran * (cell.rows + _ANSWER * grid.choosing(cell.rows)), 1)
    return pace * (_RAN * grid.epochs(rows) * (rows + _ANSWER * grid.choosing(rows)) + _ANSWER * measured)


def _together(grid: Grid, seconds: Sequence[float]) -> float:
    """Return the expected seconds of trainings that run in parallel, each begun as soon as a process is free."""
    ends = [0.0] * grid.jobs
    for one in seconds:
        heapq.heapreplace(ends, ends[0] + one)
    return max(ends)


def _left(grid: Grid) -> float:
    """Return the seconds that are left, without the reserve."""
    return grid.clock.left - RESERVE * (grid.clock.limit or 0.0)


def _halves(grid: Grid, fused: Sequence[Contender], course: Course, rows: int) -> bool:
    """Return whether enough time is left for the rounds after a stage of halving."""

    def fits() -> bool:
        takes = _together(grid, [_seconds(grid, one, course, rows) for one in fused])
        return grid.clock.spent + takes <= _HALVING * (grid.clock.limit or 0.0)

    return bool(grid.decide(f"halving, {rows:,} rows", fits))


def _going(grid: Grid, going: Sequence[Contender], course: Course, rounds: int) -> list[str]:
    """Return the contenders of the rounds. If time is too short for ``rounds`` rounds, there are fewer fusions, but at least the
    experiment's own and the best of the others."""
    names = {one.name: _seconds(grid, one, course, course.search_rows, len(grid.rounds.measure[0])) for one in going}
    others = [one for one in going if one.field is None and (one.overrides or one.trees)]
    others = sorted(others, key=lambda one: (not one.trees, _order(course.search[one.name])))
    for worst in others[:-1]:
        if _together(grid, rounds * list(names.values())) <= _SAFE * _left(grid):
            break
        del names[worst.name]
    return list(names)


def _last_rows(grid: Grid, going: Sequence[Contender], course: Course, rounds: int) -> int:
    """Return the number of training rows with which ``rounds`` rounds fit the time that is left."""
    budget, measured = _SAFE * _left(grid), len(grid.rounds.measure[0])

    def fits(rows: int) -> bool:
        return _together(grid, rounds * [_seconds(grid, one, course, rows, measured) for one in going]) <= budget

    return _largest(fits, course.search_rows, grid.rounds.most)


def _largest(fits: Callable[[int], bool], low: int, high: int) -> int:
    """Return the largest number of rows that fits: ``high``, or ``low`` times a power of the step."""
    if low >= high or fits(high):
        return high
    rows = low
    while (more := round(rows * _STEP)) < high and fits(more):
        rows = more
    return rows


def _rounds(grid: Grid, going: Sequence[Contender], course: Course, rounds: int) -> None:
    """Train the rounds. The next round begins once all trainings of the last one have begun."""
    grid.total = grid.done + rounds * len(going)
    played = 0
    for at in range(rounds):
        if at >= grid.log.decisions.get("rounds", rounds):
            break
        if at >= _FEWEST_ROUNDS and f"round {at}" not in grid.log.decisions and not _one_more(grid, going, course, at):
            grid.decide("rounds", lambda: at)  # noqa: B023  (called at once)
            break
        grid.decide(f"round {at}", lambda: True)
        for one in going:
            grid.put("round", one, course.trial[one.name], at, course.rows, measured=True)
        played = at + 1
    grid.wait()
    course.rounds = [{one.name: grid.cell("round", one, course.trial[one.name], at) for one in going} for at in range(played)]
    course.failed = {name: cell.failed for cells in course.rounds for name, cell in cells.items() if cell.failed}
    course.rounds = [{name: cell for name, cell in cells.items() if name not in course.failed} for cells in course.rounds]


def _one_more(grid: Grid, going: Sequence[Contender], course: Course, at: int) -> bool:
    """Return whether the trainings that run and another round can end in time, by the longest training of each contender so far."""
    measured = len(grid.rounds.measure[0])
    longest = {}
    for one in going:
        seconds = [cell.seconds for cell in grid.log.cells.values() if cell.stage == "round" and cell.contender == one.name]
        longest[one.name] = max(seconds) if seconds else _seconds(grid, one, course, course.rows, measured)
    begun = [max(longest[name] - spent, 0.0) for name, spent in grid.running]
    return 1.1 * _together(grid, [*begun, *longest.values()]) <= _left(grid)
