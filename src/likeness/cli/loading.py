"""The network that a command's settings ask for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from likeness.cli.console import Console
from likeness.models.catalog import DEFAULT_MODEL
from likeness.restore.config import Settings

if TYPE_CHECKING:
    from likeness.restore.pipeline import Restorer

__all__ = ["load_restorer"]


def load_restorer(settings: Settings, console: Console) -> Restorer:
    """Load it; ``-v`` says what runs it, and how long that took.

    Raises:
        LikenessError: if it cannot be had, cannot run as it shall, or does not fit the controls.
    """
    from likeness.restore.pipeline import Restorer

    model = settings["model"] or DEFAULT_MODEL
    began = time.perf_counter()
    restorer = Restorer(
        model,
        device=settings["device"] or "auto",
        precision=settings["precision"] or "auto",
        threads=settings["threads"],
        runtime=settings["runtime"],
        task=settings["task"],
        fidelity=settings["fidelity"],
        picture_model=settings["picture_model"],
    )
    spec = restorer.runtime.spec
    settings.check_network(spec.numbers, model)
    seconds = time.perf_counter() - began
    size = "whole pictures" if spec.size is None else f"{spec.size} px"
    console.detail(f"model {model}, {size}, {restorer.runtime.description}, ready in {seconds:.1f} s")
    return restorer
