"""Detail arbitration: what the photograph truly holds stays, what it lost comes from the network.

In each band of a Laplacian pyramid the photograph x = o + n - l is the person's detail o with noise n on it, and without l,
which it lost; the network's answer P is an estimate of o with errors of its own. The best mixture P + k (x - P) is known if
these errors are independent: it is the shrinkage of James and Stein, "Estimation with Quadratic Loss" (1961), toward P,

    k = 1 - (N + L) / D,    D = <(x - P)^2>,    at least 0,

with means over a neighbourhood. A difference as large as noise and loss explain is the network's business (k = 0), a larger
one is detail that the network left out or invented. Both explanations are measured:

    N: what the network takes out where its answer is quiet, so that next to nothing but noise can be there;
    L = (1 - t)^2 <P^2>, t = <x P> / <P^2> at most 1: what the photograph lacks of the network's own detail there.

Last, a difference too small to be seen is not worth a change: of the rest the network gets D / (D + D_0).

What is coarser than the coarsest band, tone and light, stays the photograph's altogether.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize, to_channels
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.pyramid import collapse, laplacian_pyramid

__all__ = ["arbitrate", "held_detail"]

_COARSEST = 16
"""Side of what is left below the bands, whatever the crop's: structures over a sixteenth of the crop."""

_WINDOW = 1.5
"""Sigma of the neighbourhood in samples of a band, of `_MEASURED` at most: 6 px at 512 in the three finest bands."""

_MEASURED = 128
"""Side to which finer bands' energies are reduced before they are smoothed."""

_QUIET, _TYPICAL = 0.25, 0.75
"""Share of the picture that is taken as quiet when its noise is measured, and the quantile of the change there that is its
noise: a window holds few samples of a coarse band, so that noise itself goes up and down from place to place."""

_NOISE, _LOSS = 3.0, 3.0
"""Weights of N and L. Over 1, as both are measured low: N where the picture is quiet, L beside an answer that is itself too
smooth."""

_UNSEEN = (1.0 / 255.0) ** 2
"""D_0: a difference of one level, which is not seen in a picture's texture but moves a face away from its person."""

_Array = NDArray[np.float32]


def held_detail(picture: Pixels, projection: Pixels) -> tuple[_Array, ...]:
    """k per band, the share of the picture's own detail that stays, from luma.

    Args:
        picture: S x S x 3, [0, 1]; S a power of two, at least 32.
        projection: S x S x 3, [0, 1], what the network made of it.

    Returns:
        maps in [0, 1], finest band first: S x S, S/2 x S/2, ... The last, of what is left below the bands, is 1.
    """
    side = Image(pixels=picture).size.width
    levels = int(np.log2(side // _COARSEST)) + 1
    own, other = (laplacian_pyramid(luma(pixels), levels) for pixels in (picture, projection))
    maps = [_held(x, p) for x, p in zip(own[:-1], other[:-1], strict=True)]
    return (*maps, np.ones_like(own[-1]))


def arbitrate(picture: Pixels, projection: Pixels, held: tuple[_Array, ...]) -> Pixels:
    """P + k (x - P) band by band: the target that `likeness.restore.relaxation` moves toward.

    Args:
        picture, projection: S x S x 3, [0, 1].
        held: of the two (`held_detail`).

    Returns:
        S x S x 3; may leave [0, 1] a little.
    """
    bands = laplacian_pyramid(picture - projection, len(held))
    # The bands are nobody else's.
    for band, share in zip(bands, held, strict=True):
        band *= to_channels(share)
    target = collapse(bands)
    target += projection
    return target


def _held(x: _Array, p: _Array) -> _Array:
    """k of one band of picture and projection."""
    size = Size(x.shape[1], x.shape[0])
    answer, common, change = (_local(y) for y in (p * p, x * p, np.square(x - p)))
    noise = float(np.quantile(change[answer <= np.quantile(answer, _QUIET)], _TYPICAL))
    transfer = np.clip(common / np.maximum(answer, 1e-12), 0.0, 1.0)
    loss = np.square(1.0 - transfer) * answer
    share = np.clip(1.0 - (_NOISE * noise + _LOSS * loss) / np.maximum(change, 1e-12), 0.0, 1.0)
    share = 1.0 - (1.0 - share) * change / (change + _UNSEEN)
    return resize(share.astype(np.float32), size, "linear")


def _local(x: _Array) -> _Array:
    """Means over the neighbourhood, on a grid of `_MEASURED` at most."""
    if x.shape[0] > _MEASURED:
        x = resize(x, Size(_MEASURED, _MEASURED), "area")
    return gaussian_blur(x, _WINDOW)
