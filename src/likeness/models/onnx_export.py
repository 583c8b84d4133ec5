"""A network as an ONNX file, for programs that run ONNX models: with what it takes and gives written inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from likeness.compute.onnx_graph import load_onnx, to_onnx
from likeness.core.files import write_bytes_atomically
from likeness.errors import CheckpointError, ConfigError, FileWriteError
from likeness.messages.notice import Notice
from likeness.models.embedding import graph as embedding_graph
from likeness.models.embedding import weights as embedding_weights
from likeness.models.enlarger.architecture import SCALES
from likeness.models.enlarger.graph import build
from likeness.models.enlarger.weights import EnlargerWeights, packaged_weights
from likeness.models.features import architecture as features
from likeness.models.features import graph as features_graph
from likeness.models.features import weights as features_weights
from likeness.models.formats import Checkpoint, ModelInfo
from likeness.models.lending import graph as lending_graph
from likeness.models.lending import weights as lending_weights
from likeness.models.lending.architecture import BANDS, PLANES, SIDE
from likeness.models.marks import graph as marks_graph
from likeness.models.marks import weights as marks_weights
from likeness.models.marks.architecture import CLASSES
from likeness.models.own_weights import OwnWeights
from likeness.models.registry import architecture_of
from likeness.models.unet.architecture import RASTER

__all__ = [
    "EMBEDDING",
    "ENLARGER",
    "FEATURES",
    "INPUT",
    "LENDING",
    "MARKS",
    "OUTPUT",
    "PACKAGED",
    "checkpoint_to_onnx",
    "embedding_to_onnx",
    "enlarger_to_onnx",
    "export_onnx",
    "features_to_onnx",
    "lending_to_onnx",
    "marks_to_onnx",
]

INPUT, OUTPUT = "input", "output"
"""What programs that run face restorers and enlargers expect an ONNX model's ports to be called."""

ENLARGER, EMBEDDING, MARKS, LENDING = "likeness-enlarge", "likeness-embed", "likeness-marks", "likeness-lend"
FEATURES = {part: f"likeness-features-{part}" for part in features.WINDOWS}
"""The names of the networks in the package that are no restorers; those that draw features by the part that they draw."""

_RANGES = {(-1.0, 1.0): "-1 to 1", (0.0, 1.0): "0 to 1"}


def export_onnx(checkpoint: Checkpoint | None, target: Path, *, name: str, scale: int | None = None) -> None:
    """Write a network as an ONNX file that appears whole or not at all.

    Its input is called ``input`` and takes any number of images, N x 3 x H x W, RGB, float32 in the range that its metadata
    names; ``output`` is alike. See `checkpoint_to_onnx`, `enlarger_to_onnx`, and for those that take or give other things
    `embedding_to_onnx`, `marks_to_onnx`, `lending_to_onnx` and `features_to_onnx`.

    Args:
        checkpoint: the network; None for one of `PACKAGED`.
        target: the file; one that exists is replaced.
        name: what the model is called, where its file does not say; which one of `PACKAGED`.
        scale: by how much the package's enlarger is to enlarge, 2 (which None means) or 4; None for others.

    Raises:
        ConfigError: for a scale that the network does not have, or a network without a graph.
        CheckpointError: if the package is damaged, or the file cannot be written.
        MissingExtraError: if onnx is not installed.
    """
    if checkpoint is None and name == ENLARGER:
        model = enlarger_to_onnx(packaged_weights(), scale=scale or SCALES[0])
    elif scale is not None:
        raise ConfigError(Notice("onnx.one-scale", {"name": name, "enlarger": ENLARGER}))
    elif checkpoint is None:
        model = _OTHERS[name]()
    else:
        model = checkpoint_to_onnx(checkpoint, name=name)
    load_onnx().checker.check_model(model)
    try:
        write_bytes_atomically(model.SerializeToString(), target)
    except FileWriteError as error:
        raise CheckpointError(error.notice) from error


def checkpoint_to_onnx(checkpoint: Checkpoint, *, name: str) -> Any:
    """A restorer or an enlarger of any architecture with a graph as an ``onnx.ModelProto``.

    Raises:
        ConfigError: if the architecture has no graph.
        MissingExtraError: if onnx is not installed.
    """
    spec = checkpoint.spec
    architecture = architecture_of(spec)
    if architecture.graph is None:
        raise ConfigError(Notice("onnx.no-graph", {"title": spec.title}))
    graph = architecture.graph(checkpoint.state, spec.config, any_batch=True)
    size = spec.size
    info = checkpoint.info or ModelInfo(name=name)
    return to_onnx(
        graph,
        ports={graph.input(0).any_name: INPUT, graph.output(0).any_name: OUTPUT},
        dimensions={
            INPUT: ("N", 3, size or "H", size or "W"),
            OUTPUT: ("N", 3, *((size * spec.scale,) * 2 if size is not None else (f"{spec.scale}H", f"{spec.scale}W"))),
        },
        name=info.name,
        description=f"{spec.title[:1].upper()}{spec.title[1:]}",
        metadata={
            **_said_of(info),
            "format": f"likeness-{spec.architecture}",
            "config": json.dumps(asdict(spec.config), sort_keys=True),
            "purpose": spec.purpose,
            "size": "any" if size is None else str(size),
            "scale": str(spec.scale),
            "template": spec.template or "none",
            "colour": "RGB",
            "range": _RANGES[spec.value_range],
        },
    )


def enlarger_to_onnx(weights: EnlargerWeights, *, scale: int) -> Any:
    """The enlarger of the package for one scale as an ``onnx.ModelProto``.

    Pictures go on as their outermost pixels beyond their borders. A second input, ``clean``, need not be given: 0 keeps
    noise and grain, 1 removes them.

    Raises:
        ConfigError: for a scale that it does not have.
        MissingExtraError: if onnx is not installed.
    """
    if scale not in SCALES:
        raise ConfigError(
            Notice("enlarge.scale", {"enlarger": ENLARGER, "known": " or ".join(map(str, SCALES)), "scale": scale})
        )
    return to_onnx(
        build(weights.state, weights.config, scale, whole=True),
        ports={"image": INPUT, "enlarged": OUTPUT},
        dimensions={INPUT: ("N", 3, "H", "W"), OUTPUT: ("N", 3, f"{scale}H", f"{scale}W"), "clean": (1,)},
        defaults={"clean": np.zeros(1, np.float32)},
        name=f"{ENLARGER}-{scale}x",
        description=f"An enlarger of photographs, {scale} times",
        metadata=_of_ours(
            f"{ENLARGER}-{scale}x",
            "likeness-enlarger",
            weights,
            {
                "purpose": "enlarge",
                "size": "any",
                "scale": str(scale),
                "template": "none",
                "colour": "RGB",
            },
        ),
    )


def embedding_to_onnx() -> Any:
    """The face embedding of the package as an ``onnx.ModelProto``.

    It takes the grey views that `likeness.reference.matching.face_view` cuts out, and gives vectors of unit length.

    Raises:
        CheckpointError: if the package is damaged.
        MissingExtraError: if onnx is not installed.
    """
    weights = embedding_weights.packaged_weights()
    side = weights.config.side
    return to_onnx(
        embedding_graph.build(weights.state, weights.config),
        ports={"view": INPUT, "embedding": OUTPUT},
        dimensions={INPUT: ("N", 1, side, side), OUTPUT: ("N", weights.config.numbers)},
        name=EMBEDDING,
        description="Tells by the cosine of two outputs whether two faces are one person's",
        metadata=_of_ours(
            EMBEDDING,
            "likeness-embedding",
            weights,
            {
                "purpose": "embed",
                "size": str(side),
                "template": "ffhq",
                "colour": "luma",
            },
        ),
    )


def marks_to_onnx() -> Any:
    """The finder of scratches and missing pieces of the package as an ``onnx.ModelProto``; sides are multiples of 16.

    Raises:
        CheckpointError: if the package is damaged.
        MissingExtraError: if onnx is not installed.
    """
    weights = marks_weights.packaged_weights()
    return to_onnx(
        marks_graph.build(weights.state, weights.config, any_batch=True),
        ports={"image": INPUT, "marks": OUTPUT},
        dimensions={INPUT: ("N", 3, "H", "W"), OUTPUT: ("N", len(CLASSES), "H", "W")},
        name=MARKS,
        description=f"Probabilities that a pixel is part of damage: {', '.join(CLASSES)}",
        metadata=_of_ours(
            MARKS,
            "likeness-marks",
            weights,
            {
                "purpose": "find damage",
                "size": f"multiples of {RASTER}",
                "template": "none",
                "colour": "RGB",
            },
        ),
    )


def lending_to_onnx() -> Any:
    """The judge of lent detail of the package as an ``onnx.ModelProto``; `likeness.runtimes.lending` makes what it takes.

    Raises:
        CheckpointError: if the package is damaged.
        MissingExtraError: if onnx is not installed.
    """
    weights = lending_weights.packaged_weights()
    return to_onnx(
        lending_graph.build(weights.state, weights.config, any_batch=True),
        ports={"planes": INPUT, "likely": OUTPUT},
        dimensions={INPUT: ("N", len(PLANES), SIDE, SIDE), OUTPUT: ("N", len(BANDS), SIDE // 2, SIDE // 2)},
        name=LENDING,
        description=f"Probabilities that another photograph's detail is the better one: {', '.join(BANDS)}",
        metadata=_of_ours(
            LENDING,
            "likeness-lending",
            weights,
            {
                "purpose": "judge lent detail",
                "size": str(SIDE),
                "template": "ffhq",
                "colour": "luma",
                "planes": ", ".join(PLANES),
                "range": "any",
            },
        ),
    )


def features_to_onnx(part: str) -> Any:
    """The network of the package that draws a part of faces anew as an ``onnx.ModelProto``.

    It makes one step of the path that `likeness.models.features.path.drawn` goes, and takes a second input for it, ``clock``
    (`likeness.models.features.architecture.clock`).

    Args:
        part: one of `likeness.models.features.architecture.WINDOWS`.

    Raises:
        CheckpointError: if the package is damaged.
        MissingExtraError: if onnx is not installed.
    """
    weights, window = features_weights.packaged_weights(), features.WINDOWS[part]
    height, width = window.height // 2, window.width // 2
    return to_onnx(
        features_graph.build(weights.state, weights.config, part, any_batch=True),
        ports={"planes": INPUT, "answer": OUTPUT},
        dimensions={
            INPUT: ("N", features.PLANES, height, width),
            "clock": ("N", features.CLOCK),
            OUTPUT: ("N", 3, height, width),
        },
        name=FEATURES[part],
        description=f"A step from noise to a drawn part of a face: {part}",
        metadata=_of_ours(
            FEATURES[part],
            "likeness-features",
            weights,
            {
                "purpose": f"draw {part}",
                "size": f"{width} x {height}",
                "template": "ffhq",
                "colour": "RGB",
                "planes": "state (lightness and two colours), restored face, photograph",
                "range": "any",
            },
        ),
    )


_OTHERS: Mapping[str, Callable[[], Any]] = {
    EMBEDDING: embedding_to_onnx,
    MARKS: marks_to_onnx,
    LENDING: lending_to_onnx,
    **{name: partial(features_to_onnx, part) for part, name in FEATURES.items()},
}

PACKAGED = (ENLARGER, *_OTHERS)
"""The networks of the package that the store does not know, as they are no restorers."""


def _of_ours(name: str, kind: str, weights: OwnWeights[Any], traits: Mapping[str, str]) -> Mapping[str, str]:
    """What the file of a network of our own beside the restorer says: all are under MIT, and take samples in [0, 1] unless
    ``traits`` say otherwise."""
    return {
        **_said_of(ModelInfo(name=name, licence="MIT", source=weights.source)),
        "format": kind,
        "config": json.dumps(asdict(weights.config), sort_keys=True),
        "range": _RANGES[0.0, 1.0],
        **traits,
    }


def _said_of(info: ModelInfo) -> Mapping[str, str]:
    """What a model says of itself; what it does not say is left out, but for its licence."""
    said = {key: value for key, value in asdict(info).items() if value}
    return {**said, "licence": info.licence or "not named"}
