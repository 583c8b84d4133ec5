"""The table of architectures, and telling from a file's tensors which of them it holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import reduce
from typing import Any

from likeness.errors import CheckpointFormatError
from likeness.messages.notice import Notice, notice_of
from likeness.models.architecture import Architecture, Config, Shapes
from likeness.models.esrgan.architecture import ESRGAN
from likeness.models.gfpgan.architecture import GFPGAN
from likeness.models.gpen.architecture import GPEN
from likeness.models.onnx_file import ONNX
from likeness.models.spandrel_adapter import CODEFORMER, RESTOREFORMER
from likeness.models.spandrel_pictures import DDCOLOR, LAMA
from likeness.models.spec import Purpose, Spec
from likeness.models.srvgg.architecture import SRVGG

__all__ = [
    "ARCHITECTURES",
    "architecture_of",
    "as_published",
    "check_purpose",
    "check_shapes",
    "named",
    "recognise",
]

ARCHITECTURES: tuple[Architecture[Any], ...] = (
    GPEN,
    ESRGAN,
    SRVGG,
    GFPGAN,
    RESTOREFORMER,
    CODEFORMER,
    DDCOLOR,
    LAMA,
    ONNX,
)
"""Every architecture; what none of them knows is told what the first misses in it."""

_FOREIGN: tuple[tuple[str, str], ...] = (
    ("quantize.embedding.weight", "a codebook network other than CodeFormer and RestoreFormer, or not all of one"),
    ("stylegan_decoder.", "GFPGAN in another form"),
    ("conv_body_first.", "GFPGAN in another form"),
    ("final_conv.0.weight", "a StyleGAN2 discriminator (a -D file), not a generator"),
    ("style.1.weight", "StyleGAN2 without an encoder"),
    ("ClassHead.0.", "RetinaFace, a face detector"),
)
"""Names that give other well-known networks away, the more telling ones first."""


def named(name: str) -> Architecture[Any] | None:
    """The architecture of a name, or None."""
    return next((one for one in ARCHITECTURES if one.name == name), None)


def architecture_of(spec: Spec) -> Architecture[Any]:
    """The architecture of a network.

    Raises:
        ValueError: if it is not in the table.
    """
    found = named(spec.architecture)
    if found is None:
        raise ValueError(f"there is no architecture {spec.architecture}")
    return found


def as_published(config: Config) -> Spec:
    """A network of these numbers as others publish it: with what its authors do with it."""
    return replace(config.spec, authors=architecture_of(config.spec).authors(config))


def recognise(shapes: Shapes, source: str) -> Spec:
    """The network that tensors describe.

    Args:
        shapes: their shapes, under the names of the file.
        source: what to call the file in an error.

    Raises:
        CheckpointFormatError: if they describe no network in the table; the message names the other network if it is known.
    """
    detected = next((one for one in ARCHITECTURES if one.detect(shapes)), None)
    # What is left of GPEN is told by its first part.
    architecture = detected or ARCHITECTURES[0]
    known = detected is not None or any(name.startswith("generator.") for name in shapes)
    try:
        renamed = {architecture.rename(name): shape for name, shape in shapes.items()}
        return as_published(architecture.configure(renamed))
    except (KeyError, IndexError, ValueError, ArithmeticError) as error:
        for telling, network in _FOREIGN:
            if any(name.startswith(telling) for name in shapes):
                raise CheckpointFormatError(
                    Notice("checkpoint.other-network", {"source": str(source), "network": network})
                ) from error
        if not known:
            first = min(shapes, default="")
            titles = ", ".join(one.title for one in ARCHITECTURES)
            raise CheckpointFormatError(
                Notice("checkpoint.unknown-architecture", {"source": str(source), "name": first[:80], "known": titles})
            ) from error
        detail = (
            Notice("checkpoint.lacks", {"name": str(error.args[0])})
            if isinstance(error, KeyError)
            else notice_of(error)
        )
        raise CheckpointFormatError(
            Notice("checkpoint.not-of", {"source": str(source), "title": architecture.title, "detail": detail})
        ) from error


def check_shapes(shapes: Shapes, spec: Spec, source: str) -> None:
    """Hold a state dict's shapes, under today's names, to those that a network calls for.

    Raises:
        CheckpointFormatError: on the first of: tensors missing, unexpected tensors, a wrong shape.
    """
    shapes_of = architecture_of(spec).shapes
    if shapes_of is None:
        return
    expected = shapes_of(spec.config)
    missing = [name for name in expected if name not in shapes]
    if missing:
        raise CheckpointFormatError(
            Notice(
                "checkpoint.tensors-missing",
                {"source": str(source), "title": spec.title, "some": _some(missing)},
            )
        )
    unexpected = [name for name in shapes if name not in expected]
    if unexpected:
        raise CheckpointFormatError(
            Notice(
                "checkpoint.tensors-unexpected",
                {"source": str(source), "title": spec.title, "some": _some(unexpected)},
            )
        )
    for name, shape in expected.items():
        if tuple(shapes[name]) != shape:
            raise CheckpointFormatError(
                Notice(
                    "checkpoint.shape",
                    {
                        "source": str(source),
                        "title": spec.title,
                        "name": name,
                        "shape": _times(shapes[name]),
                        "wanted": _times(shape),
                    },
                )
            )


def check_purpose(spec: Spec, purposes: Collection[Purpose], source: str) -> None:
    """Hold a network to what it is wanted for.

    Raises:
        CheckpointFormatError: if it is for something else.
    """
    if spec.purpose not in purposes:
        names = [Notice(f"purpose.{purpose}") for purpose in purposes]
        wanted = reduce(lambda one, other: Notice("purpose.or", {"one": one, "other": other}), names)
        raise CheckpointFormatError(
            Notice(
                "checkpoint.purpose",
                {
                    "source": str(source),
                    "title": architecture_of(spec).title,
                    "purpose": Notice(f"purpose.{spec.purpose}"),
                    "wanted": wanted,
                },
            )
        )


def _some(names: list[str]) -> Notice:
    if len(names) == 1:
        return Notice("checkpoint.one-tensor", {"name": names[0]})
    return Notice("checkpoint.tensors", {"name": names[0], "more": len(names) - 1})


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"
