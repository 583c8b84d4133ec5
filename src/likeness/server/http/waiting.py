"""Between a route and the work pool: waiting for one's turn, for so long and no longer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from likeness.compute.cancellation import cancellable, checkpoint
from likeness.server.http.pool import Ticket
from likeness.server.http.problems import ProblemError
from likeness.server.http.state import ServerState, client_of

__all__ = ["in_turn", "run_in_turn"]

_Result = TypeVar("_Result")


async def in_turn(request: Request, state: ServerState, work: Callable[[], _Result], *, kind: str) -> _Result:
    """`run_in_turn` for a request whose body is read already: it takes its place in the line only now.

    Raises:
        ServerBusyError: if the line is full.
    """
    with state.pool.admit(client_of(request)) as ticket:
        return await run_in_turn(request, state, ticket, work, kind=kind)


async def run_in_turn(
    request: Request, state: ServerState, ticket: Ticket, work: Callable[[], _Result], *, kind: str
) -> _Result:
    """Do work in the pool, and wait for it.

    If the client goes away, or the time is over, work that has not begun is never begun, and work that has ends at its next
    step (`likeness.compute.cancellation`); its place in the line stays taken until then.

    Args:
        request: whose body was read.
        state: the application's.
        ticket: the place in the line.
        work: called in a thread of the pool.
        kind: a word for the figures.

    Raises:
        ProblemError: if it took too long.
        ClientDisconnect: if nobody waits for the answer any more.
        Exception: whatever ``work`` raised.
    """

    cancelled = threading.Event()

    def timed() -> _Result:
        began = time.perf_counter()
        try:
            with cancellable(cancelled):
                result = work()
                # What nobody waits for must not stay in memory with the future.
                checkpoint()
                return result
        finally:
            state.metrics.work_seconds.labels(kind).observe(time.perf_counter() - began)

    done = asyncio.wrap_future(ticket.submit(timed))
    gone = asyncio.ensure_future(_disconnect(request))
    seconds = state.settings.request_seconds
    try:
        await asyncio.wait((done, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if done.done():
            return done.result()
        if gone.done():
            raise ClientDisconnect
        raise ProblemError(
            "too-long",
            f"the request took more than {seconds:g} seconds; try again when less is going on, or make it smaller",
            headers={"Retry-After": "10"},
        )
    finally:
        gone.cancel()
        done.cancel()
        cancelled.set()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
