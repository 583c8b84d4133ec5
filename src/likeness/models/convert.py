"""From a published .pth file (or any readable checkpoint) to the project's own format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from likeness.models.formats import Checkpoint, ModelInfo, read_checkpoint, write_checkpoint
from likeness.models.spec import Purpose

__all__ = ["convert_checkpoint"]


def convert_checkpoint(
    source: Path,
    target: Path,
    *,
    info: ModelInfo | None = None,
    purpose: Purpose | None = None,
    dtype: Literal["float16", "float32"] = "float32",
) -> Checkpoint:
    """Write ``source`` as safetensors with its description inside, and return what was written.

    Args:
        source: a checkpoint in any format that `read_checkpoint` reads.
        target: the file to write, replaced if it exists.
        info: what the new file says about itself; None keeps what ``source`` says, or names it after its file.
        purpose: what the network does; None keeps what ``source`` says of itself, or by its name.
        dtype: float32 keeps every bit; float16 halves the file.

    Raises:
        CheckpointError: if ``source`` cannot be read or ``target`` cannot be written.
    """
    checkpoint = read_checkpoint(source)
    if purpose is not None:
        checkpoint = replace(checkpoint, spec=replace(checkpoint.spec, purpose=purpose))
    described = info or checkpoint.info or ModelInfo(name=source.stem, source=source.name)
    write_checkpoint(target, checkpoint.state, checkpoint.spec, described, dtype=dtype)
    # What lies in the file now: in float16 the weights were rounded.
    if dtype == "float16":
        return read_checkpoint(target)
    return replace(checkpoint, info=described, path=target, kind="likeness")
