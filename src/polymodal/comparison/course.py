"""The course of a comparison: a search for each contender's settings, then rounds that measure.

Without a time limit every contender goes all the way. Under one it is successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943):
the search is done on few rows, in as many trials as there is time for, the same number for every contender; then the better half of the
fusions goes on with twice the rows, until three are left (the experiment's own fusion always is); what rows the last rounds train on, and
how many rounds there are, is what fits. Single fields are never dropped. Every choice is made on rows that never measure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..flow import FUSED
from ..training.plan import RESERVE
from .contenders import MULTIPLES, Contender
from .grid import Cell, Grid
from .rounds import choosing_for

_LAST = 3  # fusions that come to the rounds under a time limit
_FEWEST_ROUNDS = 2
_SEARCH, _PASS = 0.3, 0.07  # shares of the time: for the search, for its first pass over all contenders
_FEWEST_ROWS, _USUAL_SEARCH = 120, 1_000
_SAFE = 0.8  # of what is left is planned with


@dataclass
class Course:
    """What was played."""

    trials: int = 0
    search_rows: int = 0
    trial: dict[str, int] = field(default_factory=dict)
    """By contender, the trial that the search chose."""
    search: dict[str, Cell] = field(default_factory=dict)
    """By contender, the best cell of the last stage of the search that it came to."""
    rounds: list[dict[str, Cell]] = field(default_factory=list)
    """By round, the cell of each contender that came to it."""
    rows: int = 0

    @property
    def last(self) -> list[str]:
        """The contenders that were measured in every round."""
        return list(self.rounds[0]) if self.rounds else []


def play(grid: Grid, contenders: Sequence[Contender], trials: int, rounds: int) -> Course:
    """Search, halve, measure."""
    course, limited = Course(), grid.clock.limit is not None
    most = grid.rounds.most
    usual = min(most, max(_USUAL_SEARCH, most // 4))
    course.search_rows = grid.decide("search rows", lambda: _first_rows(grid, contenders, usual) if limited else usual)
    _search(grid, contenders, min(trials, len(MULTIPLES)), course, rounds)
    alone = [one for one in contenders if one.field is not None]
    fused = [one for one in contenders if one.field is None]
    rows = course.search_rows
    while limited and len(fused) > _LAST:
        fused = _better_half(fused, course)
        rows = min(2 * rows, most)
        if len(fused) <= _LAST or rows == course.search_rows:
            continue
        grid.total = grid.done + len(fused) + _FEWEST_ROUNDS * (len(alone) + _LAST)
        for one in fused:
            course.search[one.name] = grid.play(f"search, {rows:,} rows", one, course.trial[one.name], 0, rows)
    going = [one for one in (*alone, *fused) if not course.search[one.name].failed]
    course.rows = grid.decide("rows", lambda: _last_rows(grid, going, course, min(rounds, 3)) if limited else most)
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
            cell = grid.play("search", one, trial, 0, course.search_rows)
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
    """Rows of the search, so that a pass over all contenders takes its share of the time, by a short trial of the first fusion."""
    one = next(one for one in contenders if one.field is None)
    trial = grid.team(one, 0, 0, usual).try_out(FUSED, min(3.0, 0.01 * (grid.clock.limit or 0.0)))
    budget = _PASS * max(grid.clock.left, 1.0)
    weight = sum(0.7 if one.field is not None else 1.4 for one in contenders)

    def fits(rows: int) -> bool:
        return weight * grid.epochs(rows) * trial.epoch(rows, min(choosing_for(rows), len(grid.rounds.choose))) <= budget

    return _largest(fits, min(_FEWEST_ROWS, usual), usual)


def _last_rows(grid: Grid, going: Sequence[Contender], course: Course, rounds: int) -> int:
    """Rows of the rounds, so that ``rounds`` of them fit what is left, by what the search took."""
    found = [course.search[one.name] for one in going]
    pace = sum(cell.seconds / max(cell.rows * cell.ran, 1) for cell in found)
    budget = _SAFE * (grid.clock.left - RESERVE * (grid.clock.limit or 0.0))
    most = grid.rounds.most
    return _largest(lambda rows: rounds * pace * rows * grid.epochs(rows) <= budget, min(course.search_rows, most), most)


def _largest(fits: Callable[[int], bool], low: int, high: int) -> int:
    """The largest number of rows that fits, between the two."""
    if fits(high):
        return high
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _rounds(grid: Grid, going: Sequence[Contender], course: Course, rounds: int) -> None:
    longest = 0.0
    grid.total = grid.done + rounds * len(going)
    for at in range(rounds):
        if at >= grid.log.decisions.get("rounds", rounds):
            break
        left = grid.clock.left - RESERVE * (grid.clock.limit or 0.0)
        if at >= _FEWEST_ROUNDS and f"round {at}" not in grid.log.decisions and 1.1 * longest > left:
            grid.decide("rounds", lambda: at)  # noqa: B023  (called at once)
            break
        grid.decide(f"round {at}", lambda: True)
        cells = {one.name: grid.play("round", one, course.trial[one.name], at, course.rows, measured=True) for one in going}
        longest = max(longest, sum(cell.seconds for cell in cells.values()))
        course.rounds.append(cells)
    failed = {name for cells in course.rounds for name, cell in cells.items() if cell.failed}
    course.rounds = [{name: cell for name, cell in cells.items() if name not in failed} for cells in course.rounds]
