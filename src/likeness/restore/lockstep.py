"""Several faces through the network at once, though the work on each is written as if it were alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from likeness.compute.cancellation import checkpoint
from likeness.errors import LikenessError
from likeness.runtimes.base import Batch

__all__ = ["Answer", "Steps", "run_in_lockstep"]

_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What the network returned for one face (1 x 3 x S x S), and that face's share of the time it took."""

    face: Batch
    milliseconds: float


_ONE_FACE = (LikenessError, ValueError, np.linalg.LinAlgError)
"""What may go wrong with one face without stopping the others."""

Steps = Generator[Batch, Answer, _Result]
"""Work on one face: yields what the network is to see (1 x 3 x S x S), is sent the answer, and returns its result."""


def run_in_lockstep(steps: Sequence[Steps[_Result]], project: Callable[[Batch], Batch]) -> list[_Result | Exception]:
    """Run the work on several faces in step, giving the network one batch a round.

    Args:
        steps: the work on each; they may take different numbers of rounds.
        project: the network, N x 3 x S x S to the same (`Runtime.run`).

    Returns:
        the results in order; for a face whose work, or whose turn in the network, raised a `LikenessError`, a ``ValueError``
        or a ``LinAlgError``, that error, as one face must not cost the others. Anything else is raised.
    """
    results: dict[int, _Result | Exception] = {}
    answers: dict[int, Answer | Exception | None] = dict.fromkeys(range(len(steps)))
    while answers:
        asked: dict[int, Batch] = {}
        for index, answer in answers.items():
            step = answer if isinstance(answer, Exception) else _next(steps[index], answer)
            if isinstance(step, np.ndarray):
                asked[index] = step
            else:
                results[index] = step.result if isinstance(step, _Done) else step
        answers = dict(_answers(asked, project))
    return [results[index] for index in range(len(steps))]


@dataclass(frozen=True)
class _Done(Generic[_Result]):
    result: _Result


def _next(steps: Steps[_Result], answer: Answer | None) -> Batch | _Done[_Result] | Exception:
    """What the work asks for next, its result, or the error that ended it."""
    try:
        # A generator is begun by sending it None.
        return next(steps) if answer is None else steps.send(answer)
    except StopIteration as end:
        return _Done(end.value)
    except _ONE_FACE as error:
        return error


def _answers(asked: Mapping[int, Batch], project: Callable[[Batch], Batch]) -> Mapping[int, Answer | Exception]:
    if not asked:
        return {}
    checkpoint()
    began = time.perf_counter()
    batches = list(asked.values())
    try:
        faces = project(np.concatenate(batches) if len(batches) > 1 else batches[0])
    except _ONE_FACE as error:
        if len(asked) == 1:
            return dict.fromkeys(asked, error)
        # One of them may be to blame; each is asked for alone, so that the error stays with it.
        return {index: _answers({index: batch}, project)[index] for index, batch in asked.items()}
    share = (time.perf_counter() - began) * 1e3 / len(batches)
    return {index: Answer(face=faces[place : place + 1], milliseconds=share) for place, index in enumerate(asked)}
