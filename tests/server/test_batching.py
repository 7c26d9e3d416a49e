"""Batches: rows that wait are answered together and in order, a full queue refuses, and stopping loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from polymodal.inference import BLOCK
from polymodal.server.batching import Batcher
from polymodal.server.limits import RequestError


class Slow:
    """Work that waits until it may go on, and records the rows of its batches."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        self.batches: list[list[Any]] = []

    def __call__(self, rows: Sequence[Any]) -> Sequence[Any]:
        self.batches.append(list(rows))
        self.begun.set()
        self.go.wait()
        if "bad" in rows:
            raise ValueError("bad")
        return [f"answer to {row}" for row in rows]


def test_rows_that_wait_are_answered_together_up_to_a_block() -> None:
    work, batcher = Slow(), Batcher(1_000)
    first = batcher.submit("a", work, ["first"])
    work.begun.wait()
    others = [batcher.submit("a", work, [at]) for at in range(BLOCK + 2)]
    assert batcher.waiting == BLOCK + 3
    work.go.set()
    assert [future.result() for future in first] == [["answer to first"]]
    assert [future.result() for (future,) in others] == [[f"answer to {at}"] for at in range(BLOCK + 2)]
    batcher.stop()
    assert work.batches[0] == ["first"]
    assert [row for batch in work.batches[1:] for row in batch] == list(range(BLOCK + 2))
    assert len(work.batches) in (2, 3)
    assert batcher.waiting == 0


def test_a_large_request_is_divided_and_its_parts_are_in_order() -> None:
    work, batcher = Slow(), Batcher(100)
    work.go.set()
    futures = batcher.submit("a", work, range(100))
    assert [answer for future in futures for answer in future.result()] == [f"answer to {at}" for at in range(100)]
    assert max(map(len, work.batches)) >= BLOCK
    batcher.stop()


def test_requests_of_other_keys_are_not_mixed() -> None:
    work, batcher = Slow(), Batcher(1_000)
    batcher.submit("a", work, ["first"])
    work.begun.wait()
    futures = [batcher.submit(key, work, [key + str(at)])[0] for at in range(3) for key in "ab"]
    work.go.set()
    assert [future.result() for future in futures] == [[f"answer to {key}{at}"] for at in range(3) for key in "ab"]
    batcher.stop()
    assert work.batches == [["first"], ["a0", "a1", "a2"], ["b0", "b1", "b2"]]


def test_what_fails_fails_alone() -> None:
    work, batcher = Slow(), Batcher(1_000)
    batcher.submit("a", work, ["first"])
    work.begun.wait()
    good, bad, last = (batcher.submit("a", work, [row])[0] for row in ("good", "bad", "last"))
    work.go.set()
    assert good.result() == ["answer to good"]
    assert last.result() == ["answer to last"]
    with pytest.raises(ValueError, match="bad"):
        bad.result()
    batcher.stop()


def test_a_full_queue_refuses_and_says_when_to_try_again() -> None:
    work, batcher = Slow(), Batcher(5)
    futures = batcher.submit("a", work, range(3)) + batcher.submit("a", work, range(2))
    with pytest.raises(RequestError) as refused:
        batcher.submit("a", work, range(6))
    assert refused.value.status == 413, "it could never wait"
    with pytest.raises(RequestError) as refused:
        batcher.submit("a", work, ["one more"])
    assert refused.value.status == 503
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1
    work.go.set()
    for future in futures:
        future.result()
    batcher.stop()


def test_stopping_answers_what_was_accepted_and_refuses_the_rest() -> None:
    work, batcher = Slow(), Batcher(1_000)
    futures = [batcher.submit("a", work, [at])[0] for at in range(50)]
    stopping = threading.Thread(target=batcher.stop)
    stopping.start()
    work.go.set()
    stopping.join(30)
    assert not stopping.is_alive()
    assert [future.result(0) for future in futures] == [[f"answer to {at}"] for at in range(50)]
    with pytest.raises(RequestError) as refused:
        batcher.submit("a", work, ["late"])
    assert refused.value.status == 503


def test_what_was_cancelled_is_not_computed_and_frees_its_place() -> None:
    work, batcher = Slow(), Batcher(5)
    first = batcher.submit("a", work, ["first"])[0]
    work.begun.wait()
    gone, kept = batcher.submit("a", work, ["gone", "too"])[0], batcher.submit("a", work, ["kept"])[0]
    assert gone.cancel()
    assert not first.cancel(), "it is computed"
    work.go.set()
    assert kept.result() == ["answer to kept"]
    batcher.stop()
    assert work.batches == [["first"], ["kept"]]
    assert batcher.waiting == 0


def test_a_thread_survives_work_that_ends_it() -> None:
    def end(rows: Sequence[Any]) -> Sequence[Any]:
        raise SystemExit

    work, batcher = Slow(), Batcher(5)
    work.go.set()
    with pytest.raises(SystemExit):
        batcher.submit("a", end, [1])[0].result(10)
    assert batcher.submit("a", work, [1])[0].result(10) == ["answer to 1"]
    batcher.stop()


def test_two_threads_compute_two_full_blocks_and_one_waits_with_less() -> None:
    work = Slow()
    prepared: list[str] = []
    batcher = Batcher(1_000, 2, lambda: prepared.append(threading.current_thread().name))
    futures = batcher.submit("a", work, range(BLOCK)) + batcher.submit("a", work, range(BLOCK)) + batcher.submit("a", work, [1])
    work.go.set()
    for future in futures:
        future.result(10)
    batcher.stop()
    assert [len(batch) for batch in work.batches] == [BLOCK, BLOCK, 1]
    assert sorted(prepared) == ["batches 0", "batches 1"]


def test_clients_that_come_back_after_an_answer_are_waited_for() -> None:
    """Eight clients, of which five are answered first: from then on they share batches."""
    batches: list[int] = []

    def work(rows: Sequence[Any]) -> Sequence[Any]:
        batches.append(len(rows))
        time.sleep(0.2)
        return rows

    batcher = Batcher(1_000)

    def client() -> None:
        for at in range(6):
            (future,) = batcher.submit("a", work, [at])
            future.result()
            time.sleep(0.06)  # longer than a fifth of a batch

    clients = [threading.Thread(target=client) for _ in range(8)]
    for at, one in enumerate(clients):
        one.start()
        time.sleep(0.05 if at == 4 else 0)
    for one in clients:
        one.join()
    batcher.stop()
    assert sum(batches) == 48
    assert 8 in batches
