"""ComfyUI's pictures and ours.

ComfyUI's IMAGE is a torch tensor B x H x W x C, float32 in [0, 1], RGB (a few nodes give one or four channels); its MASK is
B x H x W.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from likeness.errors import ArgumentError
from likeness.imaging.filters import to_channels
from likeness.imaging.image import Image, Pixels
from likeness.messages.notice import Notice

if TYPE_CHECKING:
    import torch

__all__ = ["images_of", "mask_batch", "masks_of", "picture_batch", "pixel_batch"]


def images_of(batch: torch.Tensor) -> list[Image]:
    """The pictures of an IMAGE, in its order; samples outside [0, 1], which some nodes make, are clipped.

    Raises:
        ArgumentError: if it is no IMAGE, or holds something that is no number.
    """
    samples = _samples(batch)
    if samples.ndim != 4 or samples.shape[-1] not in (1, 3, 4) or 0 in samples.shape:
        raise ArgumentError(Notice("comfyui.no-image", {"shape": " x ".join(map(str, samples.shape))}))
    if not np.isfinite(samples).all():
        raise ArgumentError(Notice("comfyui.no-numbers"))
    return [_image(one) for one in np.clip(samples, 0.0, 1.0)]


def masks_of(batch: torch.Tensor, images: Sequence[Image]) -> list[NDArray[np.float32]]:
    """The masks of a MASK, one a picture: H x W in [0, 1]; a single one serves every picture.

    Raises:
        ArgumentError: if there are neither one nor as many as pictures, or one is of another size.
    """
    samples = _samples(batch)
    if samples.ndim == 2:
        samples = samples[None]
    size = images[0].size
    if samples.shape[1:] != (size.height, size.width) or len(samples) not in (1, len(images)):
        shape = " x ".join(map(str, samples.shape))
        wanted = f"{len(images)} x {size.height} x {size.width}"
        raise ArgumentError(Notice("comfyui.no-mask", {"shape": shape, "wanted": wanted}))
    masks = [np.ascontiguousarray(one) for one in np.clip(samples, 0.0, 1.0)]
    return masks * len(images) if len(masks) == 1 else masks


def picture_batch(images: Sequence[Image]) -> torch.Tensor:
    """Pictures of equal size as an IMAGE, with four channels if one of them has transparency."""
    with_alpha = any(image.alpha is not None for image in images)
    return pixel_batch([_channels(image, with_alpha) for image in images])


def pixel_batch(pictures: Sequence[Pixels]) -> torch.Tensor:
    """Arrays H x W x C of equal size as an IMAGE."""
    import torch

    return torch.from_numpy(np.stack(pictures).astype(np.float32, copy=False))


def mask_batch(masks: Sequence[NDArray[np.float32]]) -> torch.Tensor:
    """Arrays H x W of equal size as a MASK."""
    import torch

    return torch.from_numpy(np.stack(masks).astype(np.float32, copy=False))


def _samples(batch: torch.Tensor) -> NDArray[np.float32]:
    return batch.detach().cpu().float().numpy()


def _image(samples: NDArray[np.float32]) -> Image:
    if samples.shape[-1] == 1:
        return Image(pixels=to_channels(np.ascontiguousarray(samples[..., 0])), grey=True)
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.shape[-1] == 4 else None
    return Image(pixels=np.ascontiguousarray(samples[..., :3]), alpha=alpha)


def _channels(image: Image, with_alpha: bool) -> Pixels:
    if not with_alpha:
        return image.pixels
    alpha = np.ones(image.pixels.shape[:2], np.float32) if image.alpha is None else image.alpha
    return np.dstack([image.pixels, alpha])
