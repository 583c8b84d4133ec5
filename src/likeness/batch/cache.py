"""What is kept from one run to the next and from one step to the next: the network's answers, and a picture's faces.

The network is asked through `CachedRuntime`, which knows the answers of earlier runs by the digest of what was asked. So
nothing else has to know about it: a picture that is restored again with another step, other weights or another strength asks
the same, is answered from the disk, and comes out to the last bit as it would have from the network.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.core.disk_cache import DiskCache
from likeness.errors import ConfigError
from likeness.faces.detect import Detector
from likeness.faces.face import Face
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.runtimes.base import Batch, Runtime, WrappedRuntime

__all__ = ["DEFAULT_KEPT_BYTES", "CachedDetector", "CachedRuntime", "ProjectionCache"]

DEFAULT_KEPT_BYTES = 4 * 1024**3
"""At 512 px a face is 3 MiB, so that is about 1,300 faces."""

_SUFFIX = ".f32"


class ProjectionCache:
    """Answers of the network on the disk, the longest unused removed first; for several threads and processes.

    float32, as the network gave them: half precision would move one pixel in fifty by one level, and then a result would
    depend on whether its projection had been kept.

    Args:
        folder: where; made at the first answer.
        limit: bytes of answers at most. 0 keeps nothing.

    Raises:
        ConfigError: for a negative limit.
    """

    def __init__(self, folder: Path, *, limit: int = DEFAULT_KEPT_BYTES) -> None:
        if limit < 0:
            raise ConfigError(Notice("batch.kept-limit", {"limit": limit}))
        self._files = DiskCache(folder, suffix=_SUFFIX, limit=limit)

    def get(self, digest: str, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
        """The answer, or None."""
        content = self._files.get(_name(digest))
        if content is None or len(content) != int(np.prod(shape)) * 4:
            return None
        return content.view("<f4").reshape(shape).astype(np.float32)

    def put(self, digest: str, answer: NDArray[np.float32]) -> None:
        """Keep an answer. A disk that is full or may not be written costs the next run its time, and nothing else."""
        self._files.put(_name(digest), answer.astype("<f4", copy=False).tobytes())

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return self._files.size


def _name(digest: str) -> str:
    return f"{digest[:2]}/{digest}"


class CachedRuntime(WrappedRuntime):
    """A runtime that asks the network only what it has not been asked before; see `likeness.runtimes.base.Runtime`.

    Args:
        runtime: the network.
        model: its name with a digest of its weights: answers of another are not its own.
        kept: where answers are kept.
    """

    def __init__(self, runtime: Runtime, *, model: str, kept: ProjectionCache) -> None:
        super().__init__(runtime)
        # A runtime of other precision answers otherwise.
        self._model = f"{model}\0{runtime.description}".encode()
        self._kept = kept
        self._lock = threading.Lock()
        self._asked = self._found = 0

    @property
    def counts(self) -> tuple[int, int]:
        """How many faces the network was asked about, and how many it need not be."""
        with self._lock:
            return self._asked, self._found

    def run(self, faces: Batch) -> Batch:
        digests = [self._digest(face) for face in faces]
        height, width = (side * self.spec.scale for side in faces.shape[2:])
        answers = [self._kept.get(digest, (self.spec.outputs, height, width)) for digest in digests]
        missing = [index for index, answer in enumerate(answers) if answer is None]
        if missing:
            fresh = self._runtime.run(faces[missing] if len(missing) < len(faces) else faces)
            for index, answer in zip(missing, fresh, strict=True):
                answers[index] = answer
                self._kept.put(digests[index], answer)
        with self._lock:
            self._asked += len(missing)
            self._found += len(faces) - len(missing)
        return np.stack([answer for answer in answers if answer is not None])

    def _digest(self, face: NDArray[np.float32]) -> str:
        state = hashlib.blake2b(self._model, digest_size=20)
        state.update(np.ascontiguousarray(face).tobytes())
        return state.hexdigest()


class CachedDetector:
    """A detector that, asked about one picture twice in a row by one thread, looks once."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._last = threading.local()

    def detect(self, image: Image) -> tuple[Face, ...]:
        if getattr(self._last, "pixels", None) is image.pixels:
            return self._last.faces
        faces = self._detector.detect(image)
        self._last.pixels, self._last.faces = image.pixels, faces
        return faces

    def forget(self) -> None:
        """Let go of the picture that this thread asked about last."""
        self._last.pixels = None
        self._last.faces = ()
