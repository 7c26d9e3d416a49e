"""The course of a comparison: a search for each contender's settings, then rounds that measure.

Without a time limit every contender goes all the way. Under one it is successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943):
the search is done on few rows, in as many trials as there is time for, the same number for every contender; then the better half of the
fusions goes on with twice the rows, where that leaves the rounds their time, until three are left (the experiment's own fusion always
is), or fewer where three rounds would not fit; what rows the last rounds train on, and how many rounds there are, is what fits.
Single fields are never dropped. Every choice is made on rows that never measure. Rows are planned in steps of a half, so that a machine
that is a little slower plans the same.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..ensemble.plan import RESERVE
from ..errors import TrainingError
from ..flow import FUSED
from .contenders import MULTIPLES, Contender
from .grid import Cell, Grid

_LAST = 3  # fusions that come to the rounds under a time limit
_FEWEST_ROUNDS, _TELLING_ROUNDS, _PLANNED_ROUNDS = 2, 3, 4  # after two, Student's t makes intervals three times as wide as after three
_PASS, _SEARCH, _HALVING = 0.1, 0.25, 0.4  # shares of the time: what a first pass over all, all trials, and all that chooses may take
_FEWEST_ROWS, _USUAL_SEARCH = 120, 1_000
_STEP = 1.5  # between two numbers of rows that may be planned
_SAFE = 0.9  # of what is left is planned with
_RAN = 0.9  # of the epochs that a training may take, as most stop early
_ANSWER = 0.25  # what answering a row costs, where training on it costs 1


@dataclass
class Course:
    """The trials and rounds of a comparison that were completed."""

    trials: int = 0
    search_rows: int = 0
    trial: dict[str, int] = field(default_factory=dict)
    """By contender, the trial that the search chose."""
    search: dict[str, Cell] = field(default_factory=dict)
    """By contender, the best cell of the last stage of the search that it came to."""
    rounds: list[dict[str, Cell]] = field(default_factory=list)
    """By round, the cell of each contender that came to it."""
    failed: dict[str, str] = field(default_factory=dict)
    """By contender, why a round of its trainings failed: it is measured in none."""
    rows: int = 0

    @property
    def last(self) -> list[str]:
        """The contenders that were measured in every round."""
        return list(self.rounds[0]) if self.rounds else []


def play(grid: Grid, contenders: Sequence[Contender], trials: int, rounds: int) -> Course:
    """Search settings, drop the weaker half of the trials in turn, and measure the remaining contenders in rounds."""
    course, limited = Course(), grid.clock.limit is not None
    most = grid.rounds.most
    usual = min(most, max(_USUAL_SEARCH, most // 4))
    course.search_rows = grid.decide("search rows", lambda: _first_rows(grid, contenders, usual) if limited else usual)
    _search(grid, contenders, min(trials, len(MULTIPLES)), course, rounds)
    alone = [one for one in contenders if one.field is not None]
    fused = [one for one in contenders if one.field is None and not course.search[one.name].failed]
    rows = course.search_rows
    while limited and len(fused) > _LAST:
        fused = _better_half(fused, course)
        rows = min(2 * rows, most)
        if len(fused) <= _LAST or rows == course.search_rows or not _halves(grid, fused, course, rows):
            continue
        grid.total = grid.done + len(fused) + _FEWEST_ROUNDS * (len(alone) + _LAST)
        stage = f"search, {rows:,} rows"
        for one in fused:
            grid.put(stage, one, course.trial[one.name], 0, rows)
        grid.wait()
        course.search |= {one.name: grid.cell(stage, one, course.trial[one.name], 0) for one in fused}
    going = [one for one in (*alone, *fused) if not course.search[one.name].failed]
    if limited:
        names = grid.decide("going", lambda: _going(grid, going, course, min(rounds, _TELLING_ROUNDS)))
        going = [one for one in going if one.name in names]
    course.rows = grid.decide("rows", lambda: _last_rows(grid, going, course, min(rounds, _PLANNED_ROUNDS)) if limited else most)
    _rounds(grid, going, course, rounds)
    return course


def _search(grid: Grid, contenders: Sequence[Contender], trials: int, course: Course, rounds: int) -> None:
    """Every trial of every contender, a trial of all before the next: when time is short, all have had the same number."""
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
    return cell.worth, -cell.monitor


def _better_half(fused: Sequence[Contender], course: Course) -> list[Contender]:
    """The experiment's own fusion, and the best of the others."""
    keep = max(_LAST, -(-len(fused) // 2))
    own = [one for one in fused if not one.overrides][:1]
    ranked = sorted((one for one in fused if one not in own), key=lambda one: _order(course.search[one.name]), reverse=True)
    kept = {one.name for one in [*own, *ranked][:keep]}
    return [one for one in fused if one.name in kept]


def _first_rows(grid: Grid, contenders: Sequence[Contender], usual: int) -> int:
    """Rows of the search, so that a pass over all contenders takes its share of the time, by a short trial of the first fusion that can be
    trained."""
    for one in contenders:
        if one.field is None:
            try:
                trial = grid.trainer(one, 0, 0, usual).try_out(FUSED, min(3.0, 0.01 * (grid.clock.limit or 0.0)))
                break
            except TrainingError:  # its training will tell
                continue
    else:
        return _FEWEST_ROWS
    budget = _PASS * max(grid.clock.left, 1.0)
    weight = _RAN * sum(0.7 if one.field is not None else 1.4 for one in contenders) / grid.jobs
    return _largest(lambda rows: weight * grid.epochs(rows) * trial.epoch(rows, grid.choosing(rows)) <= budget, _FEWEST_ROWS, usual)


def _seconds(grid: Grid, one: Contender, course: Course, rows: int, measured: int = 0) -> float:
    """Of a training on so many rows and answers to ``measured`` others, by what the search took."""
    cell = course.search[one.name]
    pace = cell.seconds / max(cell.ran * (cell.rows + _ANSWER * grid.choosing(cell.rows)), 1)
    return pace * (_RAN * grid.epochs(rows) * (rows + _ANSWER * grid.choosing(rows)) + _ANSWER * measured)


def _together(grid: Grid, seconds: Sequence[float]) -> float:
    """Of trainings beside one another, each begun as soon as there is a place for it."""
    ends = [0.0] * grid.jobs
    for one in seconds:
        heapq.heapreplace(ends, ends[0] + one)
    return max(ends)


def _left(grid: Grid) -> float:
    return grid.clock.left - RESERVE * (grid.clock.limit or 0.0)


def _halves(grid: Grid, fused: Sequence[Contender], course: Course, rows: int) -> bool:
    """Whether a stage of halving leaves the rounds their time."""

    def fits() -> bool:
        takes = _together(grid, [_seconds(grid, one, course, rows) for one in fused])
        return grid.clock.spent + takes <= _HALVING * (grid.clock.limit or 0.0)

    return bool(grid.decide(f"halving, {rows:,} rows", fits))


def _going(grid: Grid, going: Sequence[Contender], course: Course, rounds: int) -> list[str]:
    """Who comes to the rounds: fewer fusions, if need be the experiment's own and the best of the others, where else time is too short for
    ``rounds``."""
    names = {one.name: _seconds(grid, one, course, course.search_rows, len(grid.rounds.measure[0])) for one in going}
    others = sorted((one for one in going if one.field is None and one.overrides), key=lambda one: _order(course.search[one.name]))
    for worst in others[:-1]:
        if _together(grid, rounds * list(names.values())) <= _SAFE * _left(grid):
            break
        del names[worst.name]
    return list(names)


def _last_rows(grid: Grid, going: Sequence[Contender], course: Course, rounds: int) -> int:
    """Rows of the rounds, so that ``rounds`` of them fit what is left."""
    budget, measured = _SAFE * _left(grid), len(grid.rounds.measure[0])

    def fits(rows: int) -> bool:
        return _together(grid, rounds * [_seconds(grid, one, course, rows, measured) for one in going]) <= budget

    return _largest(fits, course.search_rows, grid.rounds.most)


def _largest(fits: Callable[[int], bool], low: int, high: int) -> int:
    """The largest number of rows that fits: ``high``, or ``low`` times a power of the step."""
    if low >= high or fits(high):
        return high
    rows = low
    while (more := round(rows * _STEP)) < high and fits(more):
        rows = more
    return rows


def _rounds(grid: Grid, going: Sequence[Contender], course: Course, rounds: int) -> None:
    """Round after round, the next one begun when the last has no more to begin."""
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
    """Whether what is begun and another round can end in time: by the longest training of each contender so far."""
    measured = len(grid.rounds.measure[0])
    longest = {}
    for one in going:
        found = [cell.seconds for cell in grid.log.cells.values() if cell.stage == "round" and cell.contender == one.name]
        longest[one.name] = max(found) if found else _seconds(grid, one, course, course.rows, measured)
    begun = [max(longest[name] - seconds, 0.0) for name, seconds in grid.running]
    return 1.1 * _together(grid, [*begun, *longest.values()]) <= _left(grid)
