"""What is kept from one run to the next and from one step to the next: the network's answers, and a picture's faces.

The network is asked through `KeptRuntime`, which knows the answers of earlier runs by the digest of what was asked. So
nothing else has to know about it: a picture that is restored again with another step, other weights or another strength asks
the same, is answered from the disk, and comes out to the last bit as it would have from the network.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.errors import ConfigError
from likeness.faces.detect import Detector
from likeness.faces.face import Face
from likeness.imaging.image import Image
from likeness.networks.config import GpenConfig
from likeness.runtimes.base import Batch, Encoding, Runtime

__all__ = ["DEFAULT_KEPT_BYTES", "KeptDetector", "KeptProjections", "KeptRuntime"]

_log = logging.getLogger(__name__)

DEFAULT_KEPT_BYTES = 4 * 1024**3
"""At 512 px a face is 3 MiB, so that is about 1,300 faces."""

_SUFFIX = ".f32"

_SUM = 16
"""Bytes of the checksum at a file's end: a disk that gives back other bytes must not change a face."""


class KeptProjections:
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
            raise ConfigError(f"the limit of kept projections must be 0 or more, not {limit}")
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        self._size: int | None = None

    def get(self, digest: str, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
        """The answer, or None. A file of another size, as a full disk leaves it, or with other bytes is no answer."""
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        data, checksum = data[:-_SUM], data[-_SUM:]
        if len(data) != int(np.prod(shape)) * 4 or checksum != _checksum(data):
            return None
        with suppress(OSError):
            os.utime(path)  # used just now
        return np.frombuffer(data, dtype="<f4").reshape(shape).astype(np.float32)

    def put(self, digest: str, answer: NDArray[np.float32]) -> None:
        """Keep an answer. A disk that is full or may not be written costs the next run its time, and nothing else."""
        data = answer.astype("<f4", copy=False).tobytes()
        if len(data) > self._limit:
            return
        path = self._path(digest)
        part = path.with_name(f".{secrets.token_hex(6)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # No fsync: what a power cut leaves is ignored, and made again.
            part.write_bytes(data + _checksum(data))
            part.replace(path)
        except OSError as error:
            _log.info("a projection could not be kept (%s)", error)
            with suppress(OSError):
                part.unlink()
            return
        with self._lock:
            size = self._measure() if self._size is None else self._size + len(data)
            self._size = size if size <= self._limit else self._trim()

    @property
    def size(self) -> int:
        """Bytes of the answers on the disk, their checksums aside."""
        return sum(size for _, size, _ in self._files())

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}{_SUFFIX}"

    def _files(self) -> list[tuple[float, int, Path]]:
        """Time of last use, size and path of each."""
        found: list[tuple[float, int, Path]] = []
        for path in self._folder.glob(f"*/*{_SUFFIX}"):
            with suppress(OSError):  # removed by another process
                status = path.stat()
                found.append((status.st_mtime, max(status.st_size - _SUM, 0), path))
        return found

    def _measure(self) -> int:
        for part in self._folder.glob("*/.*.part"):
            # Left by a process that was killed; one that is being written now is a second old.
            with suppress(OSError):
                if part.stat().st_mtime < _now(self._folder) - 3600:
                    part.unlink()
        return self.size

    def _trim(self) -> int:
        """Remove the longest unused until a tenth is free, so that not every answer needs a look at all files."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= 0.9 * self._limit:
                break
            with suppress(OSError):
                path.unlink()
            total -= size
        return total


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_SUM).digest()


def _now(folder: Path) -> float:
    """The time by the disk's own clock, which may be another machine's."""
    os.utime(folder)
    return folder.stat().st_mtime


class KeptRuntime:
    """A runtime that asks the network only what it has not been asked before; see `likeness.runtimes.base.Runtime`.

    Args:
        runtime: the network.
        model: its name with a digest of its weights: answers of another are not its own.
        kept: where answers are kept.
    """

    def __init__(self, runtime: Runtime, *, model: str, kept: KeptProjections) -> None:
        self._runtime = runtime
        # A runtime of other precision answers otherwise.
        self._model = f"{model}\0{runtime.description}".encode()
        self._kept = kept
        self._lock = threading.Lock()
        self._asked = self._found = 0

    @property
    def config(self) -> GpenConfig:
        return self._runtime.config

    @property
    def description(self) -> str:
        return self._runtime.description

    @property
    def counts(self) -> tuple[int, int]:
        """How many faces the network was asked about, and how many it need not be."""
        with self._lock:
            return self._asked, self._found

    def encode(self, faces: Batch) -> Encoding:
        return self._runtime.encode(faces)

    def decode(self, encoding: Encoding) -> Batch:
        return self._runtime.decode(encoding)

    def project(self, faces: Batch) -> Batch:
        digests = [self._digest(face) for face in faces]
        answers = [self._kept.get(digest, faces.shape[1:]) for digest in digests]
        missing = [index for index, answer in enumerate(answers) if answer is None]
        if missing:
            fresh = self._runtime.project(faces[missing] if len(missing) < len(faces) else faces)
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


class KeptDetector:
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
