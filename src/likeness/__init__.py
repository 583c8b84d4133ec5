"""Likeness restores portraits and keeps the person.

::

    from likeness import Controls, Restorer, read_image, write_image

    restorer = Restorer()
    restoration = restorer.restore(read_image("photo.jpg"), Controls.natural())
    write_image(restoration.image, "restored.jpg")
    for outcome in restoration.faces:
        print(outcome.index, outcome.status, outcome.reason)

Everything is imported when it is first used, so that ``import likeness`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from likeness.client.answers import RequestOptions
    from likeness.client.http import LikenessClient
    from likeness.errors import (
        ArgumentError,
        BatchError,
        CheckpointError,
        CheckpointFormatError,
        ChecksumError,
        ConfigError,
        ControlError,
        DecoderError,
        DownloadError,
        FileWriteError,
        ForkError,
        ImageError,
        ImageReadError,
        ImageTooLargeError,
        ImageWriteError,
        JournalError,
        LicenceError,
        LikenessError,
        MailError,
        MissingExtraError,
        NoFaceError,
        PairError,
        RawImageError,
        RecordError,
        ResolutionError,
        ServerBusyError,
        ServerError,
        TrainingError,
    )
    from likeness.evidence.figures import FaceEvidence, Figure, Inspection
    from likeness.evidence.inspection import Inspector, inspect
    from likeness.faces.face import Face
    from likeness.faces.findings import Finding, Limits
    from likeness.faces.preflight import preflight
    from likeness.imaging.decoding.pool import DecoderLimits, DecoderPool
    from likeness.imaging.files import read_image, write_image
    from likeness.imaging.image import Box, Image, Point, Size
    from likeness.imaging.metadata_fields import Metadata
    from likeness.repair.repair import RepairResult, repair
    from likeness.repair.repairs import Repairs
    from likeness.restore.compare import compare
    from likeness.restore.controls import PRESETS, Controls, RegionWeights
    from likeness.restore.outcome import FaceOutcome, FaceProjection, Restoration
    from likeness.restore.pipeline import Restorer
    from likeness.restore.selection import Selection

    __version__: str

__all__ = [
    "PRESETS",
    "ArgumentError",
    "BatchError",
    "Box",
    "CheckpointError",
    "CheckpointFormatError",
    "ChecksumError",
    "ConfigError",
    "ControlError",
    "Controls",
    "DecoderError",
    "DecoderLimits",
    "DecoderPool",
    "DownloadError",
    "Face",
    "FaceEvidence",
    "FaceOutcome",
    "FaceProjection",
    "Figure",
    "FileWriteError",
    "Finding",
    "ForkError",
    "Image",
    "ImageError",
    "ImageReadError",
    "ImageTooLargeError",
    "ImageWriteError",
    "Inspection",
    "Inspector",
    "JournalError",
    "LicenceError",
    "LikenessClient",
    "LikenessError",
    "Limits",
    "MailError",
    "Metadata",
    "MissingExtraError",
    "NoFaceError",
    "PairError",
    "Point",
    "RawImageError",
    "RecordError",
    "RegionWeights",
    "RepairResult",
    "Repairs",
    "RequestOptions",
    "ResolutionError",
    "Restoration",
    "Restorer",
    "Selection",
    "ServerBusyError",
    "ServerError",
    "Size",
    "TrainingError",
    "__version__",
    "compare",
    "inspect",
    "preflight",
    "read_image",
    "repair",
    "write_image",
]

_HOMES = {
    "likeness.client.answers": ("RequestOptions",),
    "likeness.client.http": ("LikenessClient",),
    "likeness.errors": (
        "ArgumentError",
        "BatchError",
        "CheckpointError",
        "CheckpointFormatError",
        "ChecksumError",
        "ConfigError",
        "ControlError",
        "DecoderError",
        "DownloadError",
        "FileWriteError",
        "ForkError",
        "ImageError",
        "ImageReadError",
        "ImageTooLargeError",
        "ImageWriteError",
        "JournalError",
        "LicenceError",
        "LikenessError",
        "MailError",
        "MissingExtraError",
        "NoFaceError",
        "PairError",
        "RawImageError",
        "RecordError",
        "ResolutionError",
        "ServerBusyError",
        "ServerError",
        "TrainingError",
    ),
    "likeness.evidence.figures": ("FaceEvidence", "Figure", "Inspection"),
    "likeness.evidence.inspection": ("Inspector", "inspect"),
    "likeness.faces.face": ("Face",),
    "likeness.faces.findings": ("Finding", "Limits"),
    "likeness.faces.preflight": ("preflight",),
    "likeness.imaging.decoding.pool": ("DecoderLimits", "DecoderPool"),
    "likeness.imaging.files": ("read_image", "write_image"),
    "likeness.imaging.image": ("Box", "Image", "Point", "Size"),
    "likeness.imaging.metadata_fields": ("Metadata",),
    "likeness.restore.compare": ("compare",),
    "likeness.restore.controls": ("PRESETS", "Controls", "RegionWeights"),
    "likeness.restore.outcome": ("FaceOutcome", "FaceProjection", "Restoration"),
    "likeness.restore.pipeline": ("Restorer",),
    "likeness.repair.repair": ("RepairResult", "repair"),
    "likeness.repair.repairs": ("Repairs",),
    "likeness.restore.selection": ("Selection",),
}


def __getattr__(name: str) -> object:
    """Import an exported name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("likeness")
    else:
        home = next((module for module, names in _HOMES.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
