"""What ComfyUI itself is asked: which device it works on, where its models lie, and whether the user has stopped the work;
and what it is told: how far the work is."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from likeness.compute.cancellation import WorkCancelled, cancellable
from likeness.runtimes.load import Device

__all__ = ["COMFYUIS", "chosen_device", "each", "model_files", "stopping"]

COMFYUIS = "ComfyUI's"
"""The choice of the device that ComfyUI works on."""

_PARTS = 100
"""Into how many parts ComfyUI's progress bar divides the work on one picture."""

_WEIGHTS = (".pth", ".pt", ".safetensors", ".onnx")
"""How names of files end that may be networks."""

_Item = TypeVar("_Item")


def chosen_device(choice: str) -> Device:
    """The device of a choice: ComfyUI's, or one by its name.

    ComfyUI has a CUDA device (which AMD's are, too), DirectML's, Apple's or the processor. What its PyTorch drives through
    other extensions has no counterpart here; then the processor works.
    """
    if choice != COMFYUIS:
        return choice  # pyright: ignore[reportReturnType] - checked where the network is loaded
    management = _management()
    if management is None:
        return "auto"
    devices: dict[str, Device] = {"cuda": "cuda", "privateuseone": "directml"}
    return devices.get(str(management.get_torch_device().type), "cpu")


def model_files(kind: str) -> dict[str, Path]:
    """The files in one of ComfyUI's folders for models, by what they are called in its nodes; none outside ComfyUI.

    Args:
        kind: the folder's name, such as "upscale_models"; one that ComfyUI was not told of is looked for among its models.
    """
    folder_paths = _module("folder_paths")
    if folder_paths is None:
        return {}
    try:
        folders = [Path(folder) for folder in folder_paths.get_folder_paths(kind)]
    except KeyError:
        folders = [Path(folder_paths.models_dir, kind)]
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.suffix.casefold() in _WEIGHTS and path.is_file():
                found.setdefault(f"{kind}/{path.relative_to(folder).as_posix()}", path)
    return found


def each(items: Sequence[_Item]) -> Iterator[tuple[_Item, Callable[[float], None]]]:
    """The items one after the other, with ComfyUI's progress bar; with each, what is told the part of it that is done."""
    utils = _module("comfy.utils")
    total = len(items) * _PARTS
    bar: Any = None if utils is None else utils.ProgressBar(total)

    def show(done: float) -> None:
        if bar is not None:
            bar.update_absolute(round(done * _PARTS), total)

    for place, item in enumerate(items):
        yield item, lambda part, before=place: show(before + part)
        show(place + 1)


@contextmanager
def stopping() -> Generator[None]:
    """Within the context, work ends between two steps once the user has stopped it, with ComfyUI's own exception."""
    management = _management()
    if management is None:
        yield
        return
    stopped = _Stopped(management)
    try:
        with cancellable(stopped):
            yield
    except WorkCancelled as cancelled:
        if stopped.exception is None:
            raise
        raise stopped.exception from cancelled


class _Stopped(threading.Event):
    """Set once the user has stopped ComfyUI's work.

    ComfyUI tells that by an exception, which must not be raised where the error of one face is that face's outcome.
    """

    def __init__(self, management: Any) -> None:
        super().__init__()
        self._management = management
        self.exception: BaseException | None = None

    def is_set(self) -> bool:
        if self.exception is None:
            try:
                self._management.throw_exception_if_processing_interrupted()
            except BaseException as error:  # ComfyUI's own, which was an Exception once and is none any more
                self.exception = error
        return self.exception is not None


def _management() -> Any:
    """ComfyUI's module of devices and interruptions; None outside ComfyUI."""
    return _module("comfy.model_management")


def _module(name: str) -> Any:
    """One of ComfyUI's modules; None outside ComfyUI."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.partition(".")[0]):
            raise
        return None
