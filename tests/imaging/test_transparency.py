"""Black under full transparency must not show at the edge of a cut-out, whatever interpolates."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.imaging.framing import straightened
from likeness.imaging.image import Image, Size
from likeness.imaging.thumbnail import thumbnail
from likeness.imaging.transparency import without_hidden
from likeness.models.store import Store
from likeness.restore.background import Enlargers, enlarge_image
from likeness.studio.deliver import PrintOptions, WebOptions, for_print, for_web

_SKIN = np.array([0.85, 0.6, 0.5], np.float32)


@pytest.fixture(params=["soft", "hard"])
def pair(request: pytest.FixtureRequest) -> tuple[Image, Image]:
    """A disc of skin with skin under what is transparent, and with black there."""
    y, x = np.mgrid[:120, :120]
    disc = np.clip(46.5 - np.hypot(y - 60, x - 60), 0, 1)
    alpha = (disc if request.param == "soft" else disc > 0.5).astype(np.float32)
    whole = np.broadcast_to(_SKIN, (120, 120, 3)).copy()
    black = np.where(alpha[..., None] > 0, whole, np.float32(0))
    return Image(pixels=whole, alpha=alpha), Image(pixels=black, alpha=alpha)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: for_web(image, WebOptions(side=60)),
        lambda image: for_print(image, PrintOptions(scale=2.0, min_ppi=0)).image,
        lambda image: straightened(image, 7.0),
        lambda image: enlarge_image(image, Size(240, 240), None),
        lambda image: enlarge_image(image, Size(240, 240), Enlargers(Store(), threads=1).get("faithful")),
    ],
    ids=["web", "print", "straightened", "lanczos", "faithful"],
)
def test_no_dark_fringe(pair: tuple[Image, Image], change: Callable[[Image], Image]) -> None:
    """There was one of 26 to 72 levels."""
    right, made = (change(image) for image in pair)
    assert np.abs(right.over_white() - made.over_white()).max() < 2 / 255


def test_what_is_seen_stays_to_the_last_bit(pair: tuple[Image, Image]) -> None:
    _, black = pair
    assert black.alpha is not None
    found = without_hidden(black.pixels, black.alpha)
    seen = black.alpha > 0
    assert np.array_equal(found[seen], black.pixels[seen])
    assert np.abs(found[55:65, 2:20] - _SKIN).max() < 0.01
    for alpha in (None, np.ones_like(black.alpha), np.zeros_like(black.alpha)):
        assert without_hidden(black.pixels, alpha) is black.pixels


def test_a_thumbnail_lies_over_white(pair: tuple[Image, Image]) -> None:
    small = np.asarray(PillowImage.open(io.BytesIO(thumbnail(pair[1], side=40))))
    assert small[0, 0].min() > 240


def test_what_is_hidden_is_hidden_still_when_it_is_larger(pair: tuple[Image, Image]) -> None:
    larger = enlarge_image(pair[1], Size(240, 240), None)
    assert larger.alpha is not None
    assert (larger.pixels[larger.alpha == 0].max(axis=1) == 0).mean() > 0.9
