"""Pairs for training: a sharp portrait and what happened to it, made on the fly, each decided by its number alone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from likeness.degradations import TRAINING, pre_degrade
from likeness.imaging.image import Pixels
from likeness.imaging.portraits import Portraits

__all__ = ["PairStream", "make_pair"]


def make_pair(sharp: Pixels, seed: tuple[int, int], *, pre_degrade_odds: float) -> tuple[Pixels, Pixels]:
    """Target and network input (S x S x 3, [0, 1]) from a sharp portrait; ``seed`` decides everything."""
    rng = np.random.default_rng(seed)
    target = _augment(sharp, rng)
    odds = np.array([weight for weight, _ in TRAINING])
    _, recipe = TRAINING[int(rng.choice(len(odds), p=odds / odds.sum()))]
    number = int(rng.integers(2**31))
    drawn = recipe.draw(number)
    shown = drawn.apply(target, number)
    target = drawn.tone().apply(target, number)
    if rng.random() < pre_degrade_odds:
        shown = pre_degrade(shown, float(rng.uniform(0.3, 1.2)))
    return target, shown


def _augment(x: Pixels, rng: np.random.Generator) -> Pixels:
    if rng.random() < 0.5:
        x = x[:, ::-1]
    if rng.random() < 0.5:
        # Detectors are off by a few pixels; whole-pixel shifts cost no sharpness.
        dx, dy = (int(v) for v in rng.integers(-12, 13, 2))
        wide = np.pad(x, ((12, 12), (12, 12), (0, 0)), mode="reflect")
        x = wide[12 + dy : 12 + dy + x.shape[0], 12 + dx : 12 + dx + x.shape[1]]
    if rng.random() < 0.5:
        gain = rng.uniform(0.85, 1.15) * rng.uniform(0.94, 1.06, 3).astype(np.float32)
        x = np.power(np.clip(x * gain.astype(np.float32), 0, 1), np.float32(rng.uniform(0.8, 1.25)))
    return np.ascontiguousarray(x, dtype=np.float32)


class PairStream:
    """Batches of pairs number ``first``, ``first + 1``, ..., made ahead by threads, always in the same order.

    Portraits are shuffled anew each epoch. Batches are (targets, inputs), each N x 3 x S x S float32 in [-1, 1].
    """

    def __init__(
        self, portraits: Portraits, *, batch: int, first: int, seed: int, pre_degrade_odds: float, workers: int
    ) -> None:
        self._portraits = portraits
        self._batch = batch
        self._seed = seed
        self._odds = pre_degrade_odds
        self._stop = threading.Event()
        # One queue a worker, read in turn: order does not depend on which thread is faster.
        self._queues: list[queue.Queue[tuple[NDArray[np.float32], NDArray[np.float32]]]] = []
        for worker in range(max(1, workers)):
            ready: queue.Queue[tuple[NDArray[np.float32], NDArray[np.float32]]] = queue.Queue(maxsize=2)
            self._queues.append(ready)
            begin = first + worker * batch
            threading.Thread(target=self._work, args=(ready, begin, batch * max(1, workers)), daemon=True).start()

    def _work(
        self, ready: queue.Queue[tuple[NDArray[np.float32], NDArray[np.float32]]], number: int, stride: int
    ) -> None:
        while not self._stop.is_set():
            pairs = [self._pair(number + offset) for offset in range(self._batch)]
            targets, shown = (np.stack([pair[side] for pair in pairs]) for side in (0, 1))
            item = tuple(np.ascontiguousarray(x.transpose(0, 3, 1, 2)) * 2 - 1 for x in (targets, shown))
            while not self._stop.is_set():
                try:
                    ready.put((item[0], item[1]), timeout=0.5)
                    break
                except queue.Full:
                    continue
            number += stride

    def _pair(self, number: int) -> tuple[Pixels, Pixels]:
        epoch, place = divmod(number, len(self._portraits.names))
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._portraits.names))
        sharp = self._portraits.pixels(int(order[place]))
        return make_pair(sharp, (self._seed, number), pre_degrade_odds=self._odds)

    def __iter__(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        while True:
            for ready in self._queues:
                yield ready.get()

    def close(self) -> None:
        """Stop the threads."""
        self._stop.set()
