"""Figures that say how good a restoration is. Pictures are H x W x 3 float32 in [0, 1] unless said otherwise."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.errors import MissingExtraError
from likeness.imaging.colour import luma, srgb_to_linear
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Pixels
from likeness.messages.notice import Notice

__all__ = [
    "IdentityModel",
    "band_energy",
    "landmark_distance",
    "luma_psnr",
    "overshoot",
    "overshoot_of_both",
    "overshoots",
    "piqe",
    "plastic_skin",
    "psnr",
    "ssim",
    "typology_angle",
]


def psnr(x: Pixels, reference: Pixels) -> float:
    """Peak signal-to-noise ratio over all samples in dB; infinite for equal pictures.

    Raises:
        ValueError: if the sizes differ.
    """
    _same_size(x, reference)
    error = float(np.square(x.astype(np.float64) - reference).mean())
    return float("inf") if error == 0 else -10.0 * float(np.log10(error))


def luma_psnr(x: Pixels, reference: Pixels, *, cut: int = 0) -> float:
    """PSNR in dB of Y (ITU-R BT.601, 219 levels from black to white), ``cut`` pixels of the border left out.

    As enlargements are compared in the field since Yang et al. ("Image super-resolution via sparse representation", 2010).

    Raises:
        ValueError: if the sizes differ.
    """
    _same_size(x, reference)
    difference = (x.astype(np.float64) - reference)[cut : x.shape[0] - cut, cut : x.shape[1] - cut]
    mean = float(np.square(difference @ np.array([65.481, 128.553, 24.966]) / 255).mean())
    return float("inf") if mean == 0 else -10.0 * float(np.log10(mean))


def ssim(x: Pixels, reference: Pixels) -> float:
    """Mean structural similarity of the luma (Wang et al., 2004): Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03.

    Raises:
        ValueError: if the sizes differ.
    """
    _same_size(x, reference)
    a, b = luma(x).astype(np.float64), luma(reference).astype(np.float64)

    def mean(y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(y, (11, 11), 1.5), dtype=np.float64)

    mean_a, mean_b = mean(a), mean(b)
    variance_a, variance_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    bottom = (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    # The window reaches past the border in the outer 5 pixels; the paper leaves them out.
    return float((top / bottom)[5:-5, 5:-5].mean())


def band_energy(x: Pixels, mask: NDArray[np.float32]) -> float:
    """Root mean square of the luma's finest octave under a mask (H x W): how much fine texture there is, in [0, 1] units."""
    grey = luma(x)
    fine = grey - gaussian_blur(grey, 1.0)
    return float(np.sqrt((fine.astype(np.float64) ** 2 * mask).sum() / max(float(mask.sum()), 1e-9)))


def plastic_skin(x: Pixels, original: Pixels, skin: NDArray[np.float32]) -> float:
    """Share of the skin that lost its texture, in [0, 1]: 0 as much as the original everywhere, 1 plastic all over.

    A place is plastic where the local standard deviation of the fine band (the luma's two finest octaves, in a Gaussian
    window of 8 px at 512) is under half of what the original has there. People tell contrasts apart that differ by about a
    fifth (Legge and Foley, "Contrast masking in human vision", 1980), so half, a quarter of the power, is seen by all; and
    a share of area tells a face with one waxed cheek from one that is a little soft all over, which a mean (`band_energy`)
    does not. Places where the original itself has no more than 8-bit rounding (1/255) say nothing and are
    left out. Noise counts as texture: a grainy input has an index near 0, and only figures such as PSNR know the difference.

    Args:
        x: the picture to judge, S x S x 3.
        original: what it should look like.
        skin: S x S in [0, 1], where there is skin.

    Returns:
        the share; NaN if there is no textured skin.

    Raises:
        ValueError: if the sizes differ.
    """
    _same_size(x, original)
    unit = original.shape[0] / 512
    have, want = _local_deviation(x, 8 * unit), _local_deviation(original, 8 * unit)
    area = skin * (want > 1 / 255)
    total = float(area.sum())
    return float(area[have < 0.5 * want].sum()) / total if total >= 100 * unit**2 else float("nan")


def _local_deviation(x: Pixels, window: float) -> NDArray[np.float32]:
    grey = luma(x)
    fine = grey - gaussian_blur(grey, 2.0)
    return np.sqrt(np.maximum(gaussian_blur(fine * fine, window) - gaussian_blur(fine, window) ** 2, 0))


def overshoot(x: Pixels, original: Pixels, area: NDArray[np.float32] | None = None) -> float:
    """Ringing at edges: how far x goes beyond the plateaus of the original's step edges, as a share of their height.

    The mean of `overshoots`, not below 0. 0 for equal pictures and for one that is only softer; about 0.01 cannot be seen,
    0.05 and more is a bright or dark line along the edges. If ``original`` is the picture before restoration, then an edge
    that has become sharper counts nothing as long as it stays between its plateaus.

    Args:
        x: the picture to judge, H x W x 3.
        original: the one without ringing, or the one before.
        area: H x W; where above 0.5, edges count. None: everywhere.

    Returns:
        the share; NaN if the original has under 50 places with such edges.

    Raises:
        ValueError: if the sizes differ.
    """
    _, values = overshoots(x, original, area)
    return max(0.0, float(values.mean())) if len(values) >= 50 else float("nan")


def overshoots(
    x: Pixels, original: Pixels, area: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where and how much x overshoots more than the original does: N points (x, y) on its edges, and N shares.

    Raises:
        ValueError: if the sizes differ.
    """
    points, own, originals = overshoot_of_both(x, original, area)
    return points, own - originals


def overshoot_of_both(
    x: Pixels, original: Pixels, area: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Overshoot at the original's edges: N points (x, y), and N shares of the step each of x and of the original itself.

    The original's own matters: rims of light, lids, teeth and a camera's sharpening are lines along edges too, so that a
    line in a restored picture may be the person's (benchmarks/repair.md).

    Ringing is looked for along the gradient of strong edges, as by Marziliano et al. ("Perceptual blur and ringing metrics:
    application to JPEG 2000", 2004), and overshoot is a share of the step between the plateaus, as in the edge profiles
    of ISO 12233. In pixels of a crop with the side 512: edges come from Canny's detector on the original's luma (sigma
    1.5); profiles are means over 7 px along the edge, which takes noise down; the plateaus lie 8 to 12 px away on either
    side and have to differ by 0.15 and to be flat within 0.3 of that; the peak is looked for within 6 px, and only what
    goes beyond everything that its own plateau reaches counts, so that texture and noise count little. Both sides of an
    edge are added.

    Raises:
        ValueError: if the sizes differ.
    """
    _same_size(x, original)
    unit = max(min(original.shape[:2]) / 512, 0.25)
    have, want = luma(x), luma(original)
    smooth = gaussian_blur(want, 1.5 * unit)
    across = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8), dtype=np.float32)
    down = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8), dtype=np.float32)
    # Canny wants 16-bit gradients; 0.15 over an edge of sigma 4 px has a slope of 0.015 a pixel.
    dx, dy = (np.clip(slope * unit * 2**15, -(2**15), 2**15 - 1).astype(np.int16) for slope in (across, down))
    edges = np.asarray(cv2.Canny(dx, dy, 0.007 * 2**15, 0.015 * 2**15, L2gradient=True)) > 0
    if area is not None:
        edges &= area > 0.5
    reach = int(np.ceil(13 * unit))
    edges[:reach] = edges[-reach:] = edges[:, :reach] = edges[:, -reach:] = False
    ys, xs = np.nonzero(edges)
    if len(ys) == 0:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros(0, np.float32)
    keep = slice(None, None, -(-len(ys) // 20000))  # OpenCV samples at no more than 32767 rows at a time
    ys, xs = ys[keep], xs[keep]
    uphill = np.stack([across[ys, xs], down[ys, xs]], axis=1)
    uphill /= np.maximum(np.hypot(*uphill.T), 1e-9)[:, None]

    def profiles(y: NDArray[np.float32]) -> NDArray[np.float32]:
        """N x 25: from 12 px downhill to 12 px uphill."""
        steps, along = np.arange(-12, 13) * unit, np.arange(-3, 4) * unit
        u, v = uphill[:, 0, None, None], uphill[:, 1, None, None]
        at_x = xs[:, None, None] + u * steps[:, None] - v * along
        at_y = ys[:, None, None] + v * steps[:, None] + u * along
        flat_x, flat_y = (at.reshape(len(xs), -1).astype(np.float32) for at in (at_x, at_y))
        found = np.asarray(cv2.remap(y, flat_x, flat_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        return found.reshape(at_x.shape).mean(axis=2, dtype=np.float32)

    before, after = profiles(want), profiles(have)
    dark, bright = before[:, :5], before[:, -5:]
    step = np.median(bright, axis=1) - np.median(dark, axis=1)
    good = (step >= 0.15) & (np.maximum(np.ptp(dark, axis=1), np.ptp(bright, axis=1)) <= 0.3 * step)

    def beyond(profile: NDArray[np.float32]) -> NDArray[np.float32]:
        above = profile[:, 12:19].max(axis=1) - profile[:, -5:].max(axis=1)
        below = profile[:, :5].min(axis=1) - profile[:, 6:13].min(axis=1)
        return np.maximum(above, 0) + np.maximum(below, 0)

    own, originals = (beyond(profile[good]) / step[good] for profile in (after, before))
    points = np.stack([xs[good], ys[good]], axis=1).astype(np.float32)
    return points, own.astype(np.float32), originals.astype(np.float32)


def piqe(x: Pixels) -> float:
    """Perception-based quality without an original, 0 (best) to 100 (Venkatanath et al., "Blind image quality evaluation
    using perception based features", NCC 2015).

    The luma in [0, 255] is normalised by local mean and deviation; of its 16 x 16 blocks those with a variance over 0.1 are
    active. An active block is blurred or blocky if a run of 6 samples on its border is flat (deviation under 0.1): it then
    counts 1 - variance. It is noisy if its deviation is over twice the relative difference between its middle and its
    surroundings: it then counts its variance. The figure is the mean over active blocks.

    It was chosen because nothing is trained: no parameters of unclear licence, no pictures that it likes. Of the
    packages with NIQE or BRISQUE, some bring a second OpenCV beside ours (pypiqe), some forbid business (pyiqa), some fetch
    their parameters or need a compiler, and some are no longer maintained. As all of them it is a figure of distortion, not
    of likeness or beauty: compare means over many pictures of one kind.
    """
    grey = np.round(np.clip(luma(x), 0, 1) * 255).astype(np.float64)
    height, width = grey.shape
    grey = np.pad(grey, ((0, -height % _PIQE_BLOCK), (0, -width % _PIQE_BLOCK)), mode="symmetric")

    def mean(y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(y, (7, 7), 7 / 6, borderType=cv2.BORDER_REPLICATE), dtype=np.float64)

    centre = mean(grey)
    normal = (grey - centre) / (np.sqrt(np.abs(mean(grey * grey) - centre**2)) + 1)
    rows, columns = (side // _PIQE_BLOCK for side in normal.shape)
    blocks = normal.reshape(rows, _PIQE_BLOCK, columns, _PIQE_BLOCK).swapaxes(1, 2)
    blocks = blocks.reshape(-1, _PIQE_BLOCK, _PIQE_BLOCK)
    variance = blocks.var(axis=(1, 2), ddof=1)
    blocks, variance = blocks[variance > 0.1], variance[variance > 0.1]
    borders = np.stack([blocks[:, 0], blocks[:, -1], blocks[:, :, 0], blocks[:, :, -1]], axis=1)
    runs = np.lib.stride_tricks.sliding_window_view(borders, 6, axis=2)
    flat = (runs.std(axis=3, ddof=1) < 0.1).any(axis=(1, 2))
    half = _PIQE_BLOCK // 2
    middle = blocks[:, :, half - 1 : half + 1].std(axis=(1, 2), ddof=1)
    around = np.delete(blocks, [half - 1, half], axis=2).std(axis=(1, 2), ddof=1)
    deviation = np.sqrt(variance)
    ratio = middle / np.maximum(around, 1e-9)
    noisy = deviation > 2 * np.abs(ratio - deviation) / np.maximum(np.maximum(ratio, deviation), 1e-9)
    distortion = flat * (1 - variance) + noisy * variance
    # The constant 1 keeps pictures without active blocks finite, as in the paper.
    return float((distortion.sum() + 1) / (len(blocks) + 1) * 100)


_PIQE_BLOCK = 16


def typology_angle(pixels: Pixels, skin: NDArray[np.float32]) -> float:
    """The individual typology angle of skin in degrees, arctan((L* - 50) / b*) (Chardon, Cretois and Hourseau, "Skin
    colour typology and suntanning pathways", 1991): about 60 for very light and -50 for very dark skin.

    Medians of L* and b* (CIE 1976, D65) under the mask (H x W) resist spots, stubble and highlights. The formula is for
    a calibrated skin probe; in a photograph exposure and white balance move the angle, so that it sorts into coarse
    classes at best.

    Returns:
        the angle; NaN if the mask is empty.
    """
    where = skin > 0.5
    if not where.any():
        return float("nan")
    linear = srgb_to_linear(pixels[where])
    # IEC 61966-2-1: linear sRGB to XYZ, here divided by the white point; X is not needed.
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    z = linear @ np.array([0.0193, 0.1192, 0.9505]) / 1.089
    f_y, f_z = (np.where(v > 216 / 24389, np.cbrt(v), (24389 / 27 * v + 16) / 116) for v in (y, z))
    lightness, b = float(np.median(116 * f_y - 16)), float(np.median(200 * (f_y - f_z)))
    # With arctan2 a cast toward blue (b* below 0) stays beyond 90 degrees instead of jumping to -90.
    return float(np.degrees(np.arctan2(lightness - 50, b)))


def landmark_distance(points: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Mean distance of two 478 x 2 meshes, as a share of the reference's distance between the outer eye corners."""
    # 33 and 263 are the outer corners in MediaPipe's mesh.
    span = float(np.hypot(*(reference[263] - reference[33])))
    return float(np.hypot(*(points - reference).T).mean()) / span


class _Dlib(NamedTuple):
    """What is used of the library."""

    rectangle: Any
    network: Any
    shape: Any


class IdentityModel:
    """dlib's face embedding (ResNet-34, 128 numbers, CC0 weights): how far apart are two faces as persons?

    Two pictures of one person are usually under 0.6 apart. Loaded at first use; safe to use from several threads. Needs the
    extra ``evaluate``.

    Raises:
        MissingExtraError: if dlib or its models are not installed; at first use if dlib is and cannot be imported.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("dlib") is None:
            raise MissingExtraError(Notice("identity.no-dlib"))
        # Found, not imported: the package's own code needs pkg_resources, which setuptools no longer has.
        spec = importlib.util.find_spec("face_recognition_models")
        if spec is None or spec.origin is None:
            raise MissingExtraError(Notice("identity.no-models"))
        self._models = Path(spec.origin).parent / "models"
        self._lock = threading.Lock()
        self._loaded: _Dlib | None = None

    def loaded(self) -> IdentityModel:
        """This model, loaded now rather than at first use.

        Raises:
            MissingExtraError: if dlib cannot be imported.
        """
        self._dlib()
        return self

    def _dlib(self) -> _Dlib:
        with self._lock:
            if self._loaded is None:
                try:
                    import dlib
                except ImportError:
                    raise MissingExtraError(Notice("identity.no-dlib")) from None
                library: Any = dlib  # a compiled module without types
                network = self._models / "dlib_face_recognition_resnet_model_v1.dat"
                shape = self._models / "shape_predictor_5_face_landmarks.dat"
                self._loaded = _Dlib(
                    rectangle=library.rectangle,
                    network=library.face_recognition_model_v1(str(network)),
                    shape=library.shape_predictor(str(shape)),
                )
            return self._loaded

    def locate(self, aligned: Pixels) -> Any:
        """dlib's five landmarks of an FFHQ-aligned crop, S x S x 3.

        The face's place is known, so no detector runs: a picture too poor to be detected still gets its figure.
        """
        side = aligned.shape[0]
        left, top, right, bottom = (round(v * side / 512) for v in _DLIB_BOX)
        dlib = self._dlib()
        return dlib.shape(_samples(aligned), dlib.rectangle(left, top, right, bottom))

    def embed(self, aligned: Pixels, landmarks: Any = None) -> NDArray[np.float64]:
        """The embedding (128) of an FFHQ-aligned crop, S x S x 3.

        ``landmarks`` are those of `locate`. To compare versions of one picture give all of them the original's: found anew
        in each they jitter, and that alone moves the embedding.
        """
        found = self.locate(aligned) if landmarks is None else landmarks
        network = self._dlib().network
        with self._lock:
            return np.array(network.compute_face_descriptor(_samples(aligned), found))

    def distance(self, a: Pixels, b: Pixels) -> float:
        """Euclidean distance of the embeddings of two versions of one aligned crop, with the landmarks of ``b``."""
        landmarks = self.locate(b)
        return float(np.linalg.norm(self.embed(a, landmarks) - self.embed(b, landmarks)))


_DLIB_BOX = (95.0, 164.0, 405.0, 474.0)
"""Where dlib's detector puts its box on an FFHQ-aligned face at 512 (median over portraits)."""


def _samples(pixels: Pixels) -> NDArray[np.uint8]:
    return np.ascontiguousarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


def _same_size(x: Pixels, y: Pixels) -> None:
    if x.shape != y.shape:
        raise ValueError(f"pictures of different size cannot be compared: {x.shape[:2]} and {y.shape[:2]}")
