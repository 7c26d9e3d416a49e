"""Dynamic batching: rows of several requests are predicted together.

A thread takes the rows that wait, up to a block, and predicts them. There is no fixed delay: while a batch is computed, the next rows
gather. The answer to a row does not depend on the rows beside it, since blocks have a fixed size (see ``inference``), so that batches
change no answer.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any

from ..inference import BLOCK
from .limits import RequestError

_QUIET = 0.2
"""The least time without a new row after which a block that is not full is computed, if rows came together before; a part of the mean
seconds of a batch."""
_RETURN = 1.5
"""The same time as a multiple of the mean seconds from the end of a batch to the next row: that is how long clients that wait for an answer
before they send the next request take to come back."""
_GATHERING = 0.5
"""The largest part of the seconds of a batch for which rows are gathered."""
_SMOOTHING = 0.2
"""The weight of the last batch in the mean seconds of a batch."""

Row = Any
Answer = Any
Work = Callable[[Sequence[Row]], Sequence[Answer]]


class _Piece:
    """At most ``BLOCK`` rows of one request, and where their answers go.

    :param key: pieces of equal keys may be answered together
    :param work: answers rows; equal keys have equal work
    """

    def __init__(self, key: Hashable, work: Work, rows: Sequence[Row]) -> None:
        self.key, self.work, self.rows = key, work, rows
        self.future: Future[Sequence[Answer]] = Future()


class Batcher:
    """Answers rows in batches, in threads.

    A thread takes a full block at once. It takes fewer rows only if no other thread computes, and when no more rows arrive: the time of a
    block does not depend on how full it is.

    :param most_waiting: the maximum number of rows that wait
    :param workers: the number of threads, which answer full blocks at the same time
    :param prepare: called in each thread before its first batch
    :param together: the maximum number of rows of a batch
    """

    def __init__(self, most_waiting: int, workers: int = 1, prepare: Callable[[], None] | None = None, together: int = BLOCK) -> None:
        self._most_waiting, self._workers, self._prepare, self._together = most_waiting, max(1, workers), prepare, together
        self._pieces: deque[_Piece] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._seconds, self._returning = 0.0, 0.0
        self._ended: float | None = None
        self._gathers = False
        self._threads = [threading.Thread(target=self._run, name=f"batches {at}", daemon=True) for at in range(self._workers)]
        self.waiting = 0
        """The number of rows that wait or are computed."""
        self.batches = 0
        """The number of batches that were computed."""
        self.computing = 0
        """The number of batches that are computed now."""
        for thread in self._threads:
            thread.start()

    def submit(self, key: Hashable, work: Work, rows: Sequence[Row]) -> list[Future[Sequence[Answer]]]:
        """Accept the rows of a request, and return the futures of the answers to its parts, in order.

        :param key: requests of equal keys may be answered together
        :param work: answers rows
        :raises RequestError: too many rows wait, or the server stops (503); or there are more rows than may ever wait (413)
        """
        if len(rows) > self._most_waiting:
            raise RequestError(413, f"rows: found {len(rows):,}; at most {self._most_waiting:,} may wait; divide the request")
        pieces = [_Piece(key, work, rows[at : at + self._together]) for at in range(0, len(rows), self._together)]
        with self._changed:
            if self._stopped:
                raise RequestError(503, "the server stops", 5)
            if self.waiting + len(rows) > self._most_waiting:
                seconds = max(1, round(self.waiting / self._together * self._seconds / self._workers))
                raise RequestError(503, f"{self.waiting:,} rows wait, and at most {self._most_waiting:,} may; try again later", seconds)
            if self._ended is not None:  # the first row since a batch ended
                self._returning = _mean(self._returning, min(time.monotonic() - self._ended, _GATHERING * self._seconds))
                self._ended = None
            self.waiting += len(rows)
            self._pieces.extend(pieces)
            self._changed.notify_all()
        return [piece.future for piece in pieces]

    def stop(self) -> None:
        """Answer all rows that were accepted, and end the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _take(self) -> list[_Piece]:
        """Wait for pieces, and remove those of the next batch from the queue. Return them.

        :returns: no pieces if the batcher was stopped and there are no more
        """
        with self._changed:
            until: float | None = None
            while not (self._stopped and not self._pieces):
                rows = self._rows()
                if rows < self._together and not self._stopped:
                    if not rows or self.computing:
                        until = None
                        self._changed.wait()
                        continue
                    if self._gathers and (until is None or time.monotonic() < until):
                        until = until or time.monotonic() + _GATHERING * self._seconds
                        quiet = max(_QUIET * self._seconds, _RETURN * self._returning)
                        self._changed.wait(max(0.0, min(quiet, until - time.monotonic())))
                        if self._rows() != rows or self.computing:
                            continue
                if taken := self._next():
                    self.computing += 1
                    return taken
            return []

    def _rows(self) -> int:
        """Return the number of rows in the queue."""
        return sum(len(piece.rows) for piece in self._pieces)

    def _next(self) -> list[_Piece]:
        """Remove the pieces of the next batch from the queue: those that may be answered with the first one, up to a block.

        Pieces of clients that have gone are left out.
        """
        taken: list[_Piece] = []
        left, rows = deque[_Piece](), 0
        while self._pieces:
            piece = self._pieces.popleft()
            if taken and (piece.key != taken[0].key or rows + len(piece.rows) > self._together):
                left.append(piece)
            elif piece.future.set_running_or_notify_cancel():
                taken.append(piece)
                rows += len(piece.rows)
            else:
                self.waiting -= len(piece.rows)
        self._pieces = left
        self._gathers = len(taken) > 1
        return taken

    def _run(self) -> None:
        """Answer batches until the batcher is stopped."""
        if self._prepare is not None:
            self._prepare()
        while pieces := self._take():
            begin = time.monotonic()
            try:
                self._answer(pieces)
            finally:
                end = time.monotonic()
                with self._changed:
                    self._ended = end
                    self._seconds = _mean(self._seconds, end - begin)
                    self.batches += 1
                    self.computing -= 1
                    self._changed.notify_all()
            del pieces  # the content of the rows, while nothing waits

    def _answer(self, pieces: Sequence[_Piece]) -> None:
        """Answer the rows of pieces together. If that fails, answer each piece by itself, so that only the one at fault fails."""
        try:
            answers = pieces[0].work([row for piece in pieces for row in piece.rows])
        except BaseException as error:
            if len(pieces) == 1:
                self._release(pieces)
                pieces[0].future.set_exception(error)
                return
            for piece in pieces:
                self._answer([piece])
            return
        self._release(pieces)
        at = 0
        for piece in pieces:
            piece.future.set_result(answers[at : at + len(piece.rows)])
            at += len(piece.rows)

    def _release(self, pieces: Sequence[_Piece]) -> None:
        """Count the rows of pieces as waiting no longer. This precedes their answers: a client that has one may send the next request."""
        with self._changed:
            self.waiting -= sum(len(piece.rows) for piece in pieces)


def _mean(mean: float, value: float) -> float:
    """Return a running mean after another value; the mean 0 = no value yet."""
    return value if mean == 0 else (1 - _SMOOTHING) * mean + _SMOOTHING * value
