"""What ComfyUI itself is asked: which device it works on, how far the work is, and whether the user has stopped it."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from likeness.compute.cancellation import WorkCancelled, cancellable
from likeness.runtimes.load import Device

__all__ = ["COMFYUIS", "chosen_device", "each", "stopping"]

COMFYUIS = "ComfyUI's"
"""The choice of the device that ComfyUI works on."""

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


def each(items: Sequence[_Item]) -> Iterator[_Item]:
    """The items one after the other, with ComfyUI's progress bar."""
    bar: Any = None if _management() is None else importlib.import_module("comfy.utils").ProgressBar(len(items))
    for place, item in enumerate(items, 1):
        yield item
        if bar is not None:
            bar.update_absolute(place, len(items))


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
        self.exception: Exception | None = None

    def is_set(self) -> bool:
        if self.exception is None:
            try:
                self._management.throw_exception_if_processing_interrupted()
            except Exception as error:  # ComfyUI's own
                self.exception = error
        return self.exception is not None


def _management() -> Any:
    """ComfyUI's module of devices and interruptions; None outside ComfyUI."""
    try:
        return importlib.import_module("comfy.model_management")
    except ModuleNotFoundError as error:
        if error.name not in ("comfy", "comfy.model_management"):
            raise
        return None
