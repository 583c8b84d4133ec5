from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.batch.cache import CachedDetector, CachedRuntime, ProjectionCache
from likeness.errors import ConfigError
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face
from likeness.imaging.image import Image
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer
from likeness.runtimes.base import Runtime


def answer(value: float) -> NDArray[np.float32]:
    return np.full((3, 8, 8), value, np.float32)


def test_other_controls_need_no_network_and_the_result_is_that_of_a_fresh_run(
    tiny_runtime: Runtime, astronaut: Image, tmp_path: Path
) -> None:
    def restorer() -> tuple[Restorer, CachedRuntime]:
        runtime = CachedRuntime(tiny_runtime, model="tiny", kept=ProjectionCache(tmp_path / "kept"))
        return Restorer(runtime=runtime), runtime

    first, runtime = restorer()
    first.restore(astronaut, Controls())
    assert runtime.counts == (1, 0)
    other = replace(Controls(), latent_step_decay=0.03, strength=0.8).with_weights({"eye": 1.5})
    again, runtime = restorer()
    kept = again.restore(astronaut, other)
    assert runtime.counts == (0, 1), "another process would not run the network"
    fresh = Restorer(runtime=tiny_runtime).restore(astronaut, other)
    assert np.array_equal(kept.image.pixels, fresh.image.pixels)
    again.restore(astronaut, replace(other, degradation_scale=0.5))
    assert runtime.counts == (1, 1)


def test_of_several_faces_only_the_new_ones_are_asked(tiny_runtime: Runtime, tmp_path: Path) -> None:
    runtime = CachedRuntime(tiny_runtime, model="tiny", kept=ProjectionCache(tmp_path))
    side = runtime.spec.side
    faces = np.random.default_rng(0).uniform(-1, 1, (3, 3, side, side)).astype(np.float32)
    runtime.run(faces[1:2])
    together = runtime.run(faces)
    assert runtime.counts == (3, 1)
    for face, projected in zip(faces, together, strict=True):
        assert np.abs(tiny_runtime.run(face[None])[0] - projected).max() < 1e-4
    other = CachedRuntime(tiny_runtime, model="another", kept=ProjectionCache(tmp_path))
    other.run(faces[:1])
    assert other.counts == (1, 0), "another model's answers are not its own"


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    size = 4096 + answer(0).nbytes
    kept = ProjectionCache(tmp_path, limit=10 * size)
    for number in range(10):
        kept.put(f"{number:040d}", answer(number))
    for path in tmp_path.glob("*/*.f32"):
        # A second older each: the clock of a disk may be coarser than the loop above.
        number = int(path.stem)
        os.utime(path, (1000 + number, 1000 + number))
    assert kept.get(f"{0:040d}", (3, 8, 8)) is not None  # used just now
    kept.put(f"{10:040d}", answer(10))
    left = {number for number in range(11) if kept.get(f"{number:040d}", (3, 8, 8)) is not None}
    assert left == {0, 3, 4, 5, 6, 7, 8, 9, 10}
    assert kept.size == 9 * size


def test_what_is_cut_short_is_no_answer(tmp_path: Path) -> None:
    kept = ProjectionCache(tmp_path)
    kept.put("ab" * 20, answer(1))
    (path,) = tmp_path.glob("*/*.f32")
    path.write_bytes(path.read_bytes()[:100])
    assert kept.get("ab" * 20, (3, 8, 8)) is None


def test_nothing_is_kept_without_room(tmp_path: Path) -> None:
    kept = ProjectionCache(tmp_path / "none", limit=0)
    kept.put("ab" * 20, answer(1))
    assert kept.get("ab" * 20, (3, 8, 8)) is None
    assert not (tmp_path / "none").exists()
    with pytest.raises(ConfigError):
        ProjectionCache(tmp_path, limit=-1)


def test_a_disk_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = ProjectionCache(tmp_path / "file")
    kept.put("ab" * 20, answer(1))
    assert kept.get("ab" * 20, (3, 8, 8)) is None


class _Counting:
    def __init__(self) -> None:
        self.asked: list[Image] = []

    def detect(self, image: Image) -> tuple[Face, ...]:
        self.asked.append(image)
        return ()


def test_a_picture_is_searched_once(astronaut: Image) -> None:
    counting = _Counting()
    detector = CachedDetector(counting)
    detector.detect(astronaut)
    detector.detect(replace(astronaut))
    assert len(counting.asked) == 2, "another picture, even if it looks the same"
    detector.detect(astronaut)
    detector.detect(astronaut)
    assert len(counting.asked) == 3
    detector.forget()
    detector.detect(astronaut)
    assert len(counting.asked) == 4
    assert len(CachedDetector(MediaPipeDetector()).detect(astronaut)) == 1
