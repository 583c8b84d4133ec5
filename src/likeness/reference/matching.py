"""Who is who: a face as a unit vector, and whether two of them are one person.

The network is learnt from free portraits alone (`likeness.training.matcher`); docs/reference.md has its error rates on
persons whom it never saw. An embedding describes a person's face as a fingerprint does a finger: it lives in memory, and
nothing here writes it to a file or into a picture.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from likeness.compute.compiled import compile_network, default_cache, identity_of
from likeness.compute.library import shared_core
from likeness.compute.network import Network
from likeness.imaging.colour import luma
from likeness.imaging.filters import resize
from likeness.imaging.image import Pixels, Size
from likeness.models.embedding.architecture import EmbeddingConfig
from likeness.models.embedding.graph import build
from likeness.models.embedding.weights import EmbeddingWeights, packaged_weights

__all__ = ["OTHER_BELOW", "SAME_FROM", "Embedding", "FaceMatcher", "Verdict", "face_view", "likeness", "verdict"]

Embedding: TypeAlias = NDArray[np.float32]
Verdict: TypeAlias = Literal["same", "doubt", "other"]

SAME_FROM = 0.78
"""Likeness from which two faces count as one person: 2% of strangers in one studio, light and pose reach it."""
OTHER_BELOW = 0.5
"""Likeness under which two faces count as two persons: strangers photographed on two days reach it one time in a hundred."""

_CENTRE, _REACH = (257.0, 303.0), 416.0
"""Middle and side of the square of an FFHQ-aligned crop of 512 that the network sees, px: as in `likeness.training`."""

_PROPERTIES = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}


def face_view(crop: Pixels, side: int) -> NDArray[np.float32]:
    """What the network sees of an FFHQ-aligned crop (S x S x 3 in [0, 1]): luma, side x side."""
    unit = crop.shape[0] / 512
    reach = round(_REACH * unit)
    left, top = (min(max(round(centre * unit - reach / 2), 0), crop.shape[0] - reach) for centre in _CENTRE)
    return resize(luma(crop[top : top + reach, left : left + reach]), Size(side, side), "area")


def likeness(one: Embedding, other: Embedding) -> float:
    """The cosine of two embeddings, -1 to 1."""
    return float(one @ other)


def verdict(value: float) -> Verdict:
    """What a likeness says: the same person, another one, or neither for sure."""
    return "same" if value >= SAME_FROM else "other" if value < OTHER_BELOW else "doubt"


class FaceMatcher:
    """Embeds faces; thread-safe. The network is read and compiled when it is first wanted.

    Args:
        weights: the network's; those of the package if None.
    """

    def __init__(self, weights: EmbeddingWeights | None = None) -> None:
        self._given = weights
        self._network: Network | None = None
        self._lock = threading.Lock()

    @cached_property
    def _weights(self) -> EmbeddingWeights:
        return self._given or packaged_weights()

    def embed(self, *crops: Pixels) -> Embedding:
        """A unit vector of one face.

        Args:
            crops: FFHQ-aligned, S x S x 3 in [0, 1], of one face: a photograph, or a photograph and its restored form,
                which together tell more than either. Each is seen once more in a mirror.

        Raises:
            ValueError: without a crop.
            CheckpointError: if the installation is damaged.
        """
        if not crops:
            raise ValueError("an embedding needs at least one crop")
        views = np.stack([face_view(crop, self._weights.config.side) for crop in crops])
        both = np.concatenate([views, views[:, :, ::-1]])[:, None]
        (found,) = self._compiled().run({"view": both}, ["embedding"])
        total = found.sum(axis=0)
        return total / max(float(np.linalg.norm(total)), 1e-12)

    def _compiled(self) -> Network:
        with self._lock:
            if self._network is None:
                self._network = self._compile()
            return self._network

    def _compile(self) -> Network:
        state, config = self._weights.state, self._weights.config
        return compile_network(
            shared_core(),
            "face-embedding",
            cache=default_cache(),
            identity=lambda: identity_of(state, build, EmbeddingConfig),
            build=lambda: build(state, config),
            properties=_PROPERTIES,
        )
