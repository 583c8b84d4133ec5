"""The networks of a restorer, from loading to giving them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from likeness.errors import CheckpointFormatError, ConfigError, LikenessError, NoFaceError
from likeness.faces.align import TEMPLATE_SIZE
from likeness.faces.detect import Detector, MediaPipeDetector
from likeness.faces.face import Face
from likeness.faces.networks import begin_loading
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.models.catalog import DEFAULT_MODEL
from likeness.models.formats import read_spec
from likeness.models.registry import check_purpose
from likeness.models.spec import FACE_PURPOSES, Purpose, Spec
from likeness.models.store import Store
from likeness.restore.background import Enlargers
from likeness.restore.following import OnProgress, Progress
from likeness.restore.tasks.picture import PictureChange, SeenPicture
from likeness.restore.tasks.registry import PICTURE_TASKS
from likeness.runtimes.base import Runtime
from likeness.runtimes.batching import BatchingRuntime
from likeness.runtimes.load import Device, Library, load_runtime

__all__ = ["NetworkHolder", "load_picture_network"]

_Self = TypeVar("_Self", bound="NetworkHolder")  # typing.Self is of Python 3.11


@dataclass(frozen=True, kw_only=True)
class _Networks:
    """What a restorer keeps until it is closed."""

    detector: Detector
    runtime: Runtime
    picture: Runtime | None
    enlargers: Enlargers


class NetworkHolder:
    """Loads a restorer's networks and keeps them until it is closed; `Restorer` says what its arguments are."""

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        device: Device = "auto",
        precision: Literal["auto", "f32", "bf16"] = "auto",
        runtime: Runtime | Library | None = None,
        detector: Detector | None = None,
        threads: int | None = None,
        store: Store | None = None,
        task: Purpose | None = None,
        fidelity: float | None = None,
        picture_model: str | Path | Runtime | None = None,
    ) -> None:
        ready = None if runtime is None or isinstance(runtime, str) else runtime
        if detector is None:
            detector = MediaPipeDetector()
            if ready is None:
                begin_loading()
        store = store or Store()
        library: Library = runtime if isinstance(runtime, str) else "auto"
        loaded = ready or load_runtime(
            store,
            model,
            device=device,
            precision=precision,
            threads=threads,
            library=library,
            task=task,
            fidelity=fidelity,
        )
        check_purpose(loaded.spec, FACE_PURPOSES, loaded.spec.title)
        picture = None if loaded.spec.for_faces else loaded
        if picture_model is not None:
            if picture is not None:
                named = str(model) if ready is None else loaded.spec.title
                raise ConfigError(Notice("restore.two-for-pictures", {"model": named}))
            if isinstance(picture_model, (str, Path)):
                picture = load_picture_network(
                    store, picture_model, device=device, precision=precision, threads=threads
                )
            else:
                _check_for_pictures(picture_model.spec, picture_model.spec.title)
                picture = picture_model
        self._held: _Networks | None = _Networks(
            detector=detector,
            runtime=loaded,
            picture=picture,
            enlargers=Enlargers(store, threads=threads),
        )
        self._own_runtime = ready is None

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the networks' memory back; work that is going on is ended well, and none is taken any more."""
        held, self._held = self._held, None
        if held is not None and self._own_runtime and isinstance(held.runtime, BatchingRuntime):
            held.runtime.close()

    @property
    def _networks(self) -> _Networks:
        if self._held is None:
            raise LikenessError(Notice("restore.closed"))
        return self._held

    @property
    def runtime(self) -> Runtime:
        return self._networks.runtime

    @property
    def for_faces(self) -> bool:
        """Whether faces are restored; a network for whole pictures alone leaves them to others."""
        return self.runtime.spec.for_faces

    @property
    def for_pictures(self) -> bool:
        """Whether a network for whole pictures works, alone or before faces are restored."""
        return self._networks.picture is not None

    def need_faces(self) -> None:
        """Make sure that this restores faces, for work that is about them alone.

        Raises:
            ConfigError: if its one network is for whole pictures.
        """
        if not self.for_faces:
            raise ConfigError(Notice("restore.not-for-faces", {"title": self.runtime.spec.title}))

    @property
    def detector(self) -> Detector:
        return self._networks.detector

    @property
    def _side(self) -> int:
        """Of the faces that the network draws, px."""
        return self.runtime.spec.size or TEMPLATE_SIZE

    def _change_picture(
        self, image: Image, holes: NDArray[np.float32] | None, faces: Sequence[Face], progress: OnProgress
    ) -> PictureChange | None:
        """What the network for whole pictures does; None if there is none.

        Raises:
            NoFaceError: if there is nothing for it to do, and no other network.
        """
        network = self._networks.picture
        if network is None:
            return None
        progress(Progress(step="picture"))
        try:
            return PICTURE_TASKS[network.spec.purpose].apply(
                SeenPicture(image=image, holes=holes, faces=faces), network
            )
        except NoFaceError as error:
            if not self.for_faces:
                raise
            # Faces are restored all the same, and that nothing else was done is told.
            return PictureChange(purpose=network.spec.purpose, image=image, area=0.0, warnings=(error.notice,))

    @property
    def _enlargers(self) -> Enlargers:
        return self._networks.enlargers

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'closed' if self._held is None else self._held.runtime.description})"


def load_picture_network(
    store: Store,
    model: str | Path,
    *,
    device: Device = "auto",
    precision: Literal["auto", "f32", "bf16"] = "auto",
    threads: int | None = None,
) -> Runtime:
    """Load a network for whole pictures.

    Args:
        store: where models are.
        model: a name, or a file.
        device, precision, threads: see `load_runtime`.

    Raises:
        CheckpointError: if it cannot be had, or is none of these.
        MissingExtraError, ConfigError: see `load_runtime`.
    """
    # Before it is loaded: a file for faces that does not tell its task would be asked for that.
    _check_for_pictures(read_spec(store.path(model)), str(model))
    return load_runtime(
        store, model, purposes=tuple(PICTURE_TASKS), device=device, precision=precision, threads=threads
    )


def _check_for_pictures(spec: Spec, model: str) -> None:
    """See to it that a network works on whole pictures.

    Raises:
        CheckpointFormatError: if it does not.
    """
    if spec.for_faces:
        raise CheckpointFormatError(Notice("checkpoint.not-for-pictures", {"model": model, "title": spec.title}))
    check_purpose(spec, tuple(PICTURE_TASKS), model)
