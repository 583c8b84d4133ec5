"""Detail arbitration: what the photograph truly holds stays, what it lost comes from the network.

In each band of a Laplacian pyramid the photograph x = o + n - l is the person's detail o with noise n on it, and without l,
which it lost; the network's answer P is an estimate of o with errors of its own. The best mixture P + k (x - P) is known if
these errors are independent: it is the shrinkage of James and Stein, "Estimation with Quadratic Loss" (1961), toward P,

    k = 1 - (N + L) / D,    D = <(x - P)^2>,    at least 0,

with means over a neighbourhood. A difference as large as noise and loss explain is the network's business (k = 0), a larger
one is detail that the network left out or invented. Both explanations are measured:

    N: what the network takes out where its answer is quiet, so that next to nothing but noise can be there;
    L = (1 - t)^2 <P^2>, t = <x P> / <P^2> at most 1: what the photograph lacks of the network's own detail there.

Last, a difference too small to be seen is not worth a change: of the rest the network gets D / (D + D_0). That holds as long
as nothing seen speaks against the photograph. Grain does: what it adds to the coarser bands is small as well, lies on the
whole face and moves it away from its person. So D_0 falls, as 1 - g, with the share of grain in what is seen,

    g = n^2 / (n^2 + n_0^2),    n = N_2 - N_3, at least 0,

N_2 and N_3 being those of the second and third finest band: grain of film and sensors is the weaker the coarser the band,
whereas errors of a network that undoes blur are the stronger. `likeness.restore.relaxation` takes grain out sooner by it; as
grain counts there what of the photograph does not go along with the answer, x - t P, so far as it does not stay.

What is coarser than the coarsest band, tone and light, stays the photograph's altogether.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize, to_channels
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.pyramid import collapse, laplacian_pyramid

__all__ = ["HeldDetail", "arbitrate", "held_detail", "nothing_held", "unexplained"]

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

_GRAIN = 2.0 * _UNSEEN
"""n_0: grain of 1.4 levels, which is just seen on smooth skin, is half of it."""

_Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldDetail:
    """How much of a picture's own detail stays.

    Attributes:
        shares: k per band, maps in [0, 1], finest band first: S x S, S/2 x S/2, ... The last, of what is left below the
            bands, is 1.
        grain: g, the share of grain in what is seen of the picture, in [0, 1].
    """

    shares: tuple[_Array, ...]
    grain: float


def held_detail(picture: Pixels, projection: Pixels) -> HeldDetail:
    """What stays of a picture beside the network's answer, measured on luma.

    Args:
        picture: S x S x 3, [0, 1]; S a power of two, at least 32.
        projection: S x S x 3, [0, 1], what the network made of it.
    """
    side = Image(pixels=picture).size.width
    levels = int(np.log2(side // _COARSEST)) + 1
    own, other = (laplacian_pyramid(luma(pixels), levels) for pixels in (picture, projection))
    bands = [_Band.measure(x, p) for x, p in zip(own[:-1], other[:-1], strict=True)]
    visible = max(bands[1].noise - bands[2].noise, 0.0) if len(bands) > 2 else 0.0
    grain = visible**2 / (visible**2 + _GRAIN**2)
    unseen = _UNSEEN * (1.0 - grain)
    return HeldDetail(shares=(*(band.share(unseen) for band in bands), np.ones_like(own[-1])), grain=grain)


def nothing_held(side: int) -> HeldDetail:
    """Where nothing of a picture's own detail stays: k is 0 in every band, and below the bands.

    Args:
        side: S, a power of two, at least 32.
    """
    sides = (side >> band for band in range(int(np.log2(side // _COARSEST)) + 1))
    return HeldDetail(shares=tuple(np.zeros((one, one), np.float32) for one in sides), grain=0.0)


def arbitrate(picture: Pixels, projection: Pixels, held: HeldDetail) -> Pixels:
    """P + k (x - P) band by band: the target that `likeness.restore.relaxation` moves toward.

    Args:
        picture, projection: S x S x 3, [0, 1].
        held: of the two (`held_detail`).

    Returns:
        S x S x 3; may leave [0, 1] a little.
    """
    bands = laplacian_pyramid(picture - projection, len(held.shares))
    # The bands are nobody else's.
    for band, share in zip(bands, held.shares, strict=True):
        band *= to_channels(share)
    target = collapse(bands)
    target += projection
    return target


def unexplained(picture: Pixels, projection: Pixels, held: HeldDetail) -> Pixels:
    """(1 - k) (x - t P) band by band: what goes of the picture and is no fainter form of what the network draws there.

    In a grainy picture that is grain. Bands of different pictures share nothing by chance, so that t tells the two apart; it
    is measured on luma, over the neighbourhood, as for L.

    Args:
        picture, projection: S x S x 3, [0, 1].
        held: of the two (`held_detail`).

    Returns:
        S x S x 3, about 0; without what is below the bands.
    """
    levels = len(held.shares)
    own, other = (laplacian_pyramid(pixels, levels) for pixels in (picture, projection))
    for x, p, share in zip(own[:-1], other[:-1], held.shares[:-1], strict=True):
        light, answer = luma(x), luma(p)
        transfer = np.clip(_local(light * answer) / np.maximum(_local(answer * answer), 1e-12), 0.0, 1.0)
        transfer = resize(transfer.astype(np.float32), Size(x.shape[1], x.shape[0]), "linear")
        x -= to_channels(transfer) * p
        x *= to_channels(np.float32(1) - share)
    own[-1].fill(0)
    return collapse(own)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Band:
    """D, L and N of one band of picture and projection, and the band's size."""

    change: _Array
    loss: _Array
    noise: float
    size: Size

    @staticmethod
    def measure(x: _Array, p: _Array) -> _Band:
        answer, common, change = (_local(y) for y in (p * p, x * p, np.square(x - p)))
        noise = float(np.quantile(change[answer <= np.quantile(answer, _QUIET)], _TYPICAL))
        transfer = np.clip(common / np.maximum(answer, 1e-12), 0.0, 1.0)
        loss = np.square(1.0 - transfer) * answer
        return _Band(change=change, loss=loss, noise=noise, size=Size(x.shape[1], x.shape[0]))

    def share(self, unseen: float) -> _Array:
        """k, with D_0 = ``unseen``."""
        explained = (_NOISE * self.noise + _LOSS * self.loss) / np.maximum(self.change, 1e-12)
        share = np.clip(1.0 - explained, 0.0, 1.0)
        share = 1.0 - (1.0 - share) * self.change / np.maximum(self.change + unseen, 1e-12)
        return resize(share.astype(np.float32), self.size, "linear")


def _local(x: _Array) -> _Array:
    """Means over the neighbourhood, on a grid of `_MEASURED` at most."""
    if x.shape[0] > _MEASURED:
        x = resize(x, Size(_MEASURED, _MEASURED), "area")
    return gaussian_blur(x, _WINDOW)
