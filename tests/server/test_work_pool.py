from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import Future

import pytest

from likeness.errors import ServerBusyError
from likeness.server.http.pool import WorkPool


@pytest.fixture
def pool() -> Generator[WorkPool]:
    made = WorkPool(workers=1, queue=6, queue_per_client=4)
    yield made
    made.close()


def blocked(pool: WorkPool) -> tuple[threading.Event, Future[bool]]:
    """Keep the only worker busy until the event is set."""
    begun, end = threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return end.wait(20)

    future = pool.admit("blocker").submit(work)
    assert begun.wait(20)
    return end, future


def test_clients_take_turns_however_much_each_has_to_do(pool: WorkPool) -> None:
    end, _ = blocked(pool)
    order: list[str] = []
    futures = [
        pool.admit(client).submit(lambda client=client: order.append(client))
        for client in ("greedy", "greedy", "greedy", "modest", "late")
    ]
    end.set()
    for future in futures:
        future.result(20)
    assert order == ["greedy", "modest", "late", "greedy", "greedy"]


def test_the_background_comes_after_those_who_wait_and_still_gets_its_turn() -> None:
    pool = WorkPool(workers=1, queue=12, queue_per_client=12)
    try:
        end, _ = blocked(pool)
        order: list[str] = []
        futures = [pool.submit_background(lambda: order.append("job")) for _ in range(2)]
        futures += [pool.admit("a").submit(lambda: order.append("asked")) for _ in range(9)]
        end.set()
        for future in futures:
            future.result(20)
        assert order == [*["asked"] * 8, "job", "asked", "job"]
    finally:
        pool.close()


def test_while_requests_come_a_thread_is_kept_free_of_the_background() -> None:
    pool = WorkPool(workers=2, queue=4, queue_per_client=4)
    end, begun = threading.Event(), threading.Semaphore(0)

    def job() -> bool:
        begun.release()
        return end.wait(20)

    try:
        pool.admit("a").submit(lambda: None).result(20)
        jobs = [pool.submit_background(job) for _ in range(2)]
        assert begun.acquire(timeout=20)
        # The second job waits, and who asks does not.
        assert pool.admit("a").submit(lambda: 3).result(20) == 3
        assert pool.running == 1
        end.set()
        assert all(future.result(20) for future in jobs)
    finally:
        end.set()
        pool.close()


def test_who_was_just_served_comes_after_those_who_wait(pool: WorkPool) -> None:
    order: list[str] = []
    second: list[Future[None]] = []

    def again() -> None:
        order.append("a1")
        second.append(pool.admit("a").submit(lambda: order.append("a2")))

    end, _ = blocked(pool)
    first = pool.admit("a").submit(again)
    others = [pool.admit("b").submit(lambda: order.append("b")) for _ in range(2)]
    end.set()
    for future in (first, *others, *second):
        future.result(20)
    assert order == ["a1", "b", "a2", "b"]


def test_a_full_line_and_a_client_with_its_share_are_refused_with_a_time(pool: WorkPool) -> None:
    held = [pool.admit("a") for _ in range(4)]
    with pytest.raises(ServerBusyError, match="this address has 4 requests in hand") as refused:
        pool.admit("a")
    assert 1 <= refused.value.retry_after <= 60
    held += [pool.admit("b") for _ in range(3)]
    with pytest.raises(ServerBusyError, match="the server has 7 requests in hand"):
        pool.admit("c")
    with held.pop():
        pass
    assert pool.admitted == 6
    pool.admit("c")


def test_a_place_is_free_again_when_its_work_ends_fails_or_is_taken_back(pool: WorkPool) -> None:
    end, running = blocked(pool)
    waiting = pool.admit("a").submit(lambda: None)
    assert (pool.admitted, pool.waiting, pool.running) == (2, 1, 1)
    assert waiting.cancel()
    assert (pool.admitted, pool.waiting) == (1, 0)
    end.set()
    assert running.result(20)
    failing = pool.admit("a").submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        failing.result(20)
    assert pool.admitted == 0


def test_a_ticket_is_for_one_piece_of_work(pool: WorkPool) -> None:
    with pool.admit("a") as ticket:
        assert ticket.submit(lambda: 3).result(20) == 3
        with pytest.raises(RuntimeError):
            ticket.submit(lambda: 4)
    assert pool.admitted == 0


def test_closing_ends_what_runs_and_cancels_what_waits() -> None:
    pool = WorkPool(workers=1, queue=3, queue_per_client=3)
    end, running = blocked(pool)
    waiting = pool.admit("a").submit(lambda: None)
    closing = threading.Thread(target=pool.close)
    closing.start()
    end.set()
    closing.join(20)
    assert running.result(0)
    assert waiting.cancelled()
    with pytest.raises(RuntimeError):
        pool.submit_background(lambda: None)
