"""Which tensors a GPEN checkpoint holds."""

from __future__ import annotations

from likeness.models.gpen.config import LATENT_CHANNELS, MAPPING_LAYERS, GpenConfig

__all__ = ["expected_shapes"]


def expected_shapes(config: GpenConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of every tensor of a GPEN network, as in the published checkpoints (and ``texture``, our own).

    Source: the listing of the published GPEN-BFR-256 and GPEN-BFR-512 files, which this reproduces.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(1, MAPPING_LAYERS + 1):
        shapes[f"generator.style.{layer}.weight"] = (LATENT_CHANNELS, LATENT_CHANNELS)
        shapes[f"generator.style.{layer}.bias"] = (LATENT_CHANNELS,)
    base = config.channels(4)
    shapes["generator.input.input"] = (1, base, 4, 4)
    _add_styled(shapes, "generator.conv1", base, base, upsample=False)
    _add_to_rgb(shapes, "generator.to_rgb1", 2 * base, upsample=False)
    for index, size in enumerate(config.resolutions[1:]):
        before, here = 2 * config.channels(size // 2), config.channels(size)
        _add_styled(shapes, f"generator.convs.{2 * index}", before, here, upsample=True)
        _add_styled(shapes, f"generator.convs.{2 * index + 1}", 2 * here, here, upsample=False)
        _add_to_rgb(shapes, f"generator.to_rgbs.{index}", 2 * here, upsample=True)
    shapes["ecd0.0.0.weight"] = (config.channels(config.size), 3, 1, 1)
    shapes["ecd0.0.1.bias"] = (config.channels(config.size),)
    if config.texture:
        shapes["texture.plane"] = (1, 1, config.size, config.size)
        shapes["texture.strength"] = (1, config.channels(config.size), 1, 1)
    for octave in range(1, config.octaves + 1):
        size = config.size >> octave
        shapes[f"ecd{octave}.0.0.kernel"] = (4, 4)
        shapes[f"ecd{octave}.0.1.weight"] = (config.channels(size), config.channels(2 * size), 3, 3)
        shapes[f"ecd{octave}.0.2.bias"] = (config.channels(size),)
    shapes["final_linear.0.weight"] = (LATENT_CHANNELS, 16 * base)
    shapes["final_linear.0.bias"] = (LATENT_CHANNELS,)
    return shapes


def _add_styled(shapes: dict[str, tuple[int, ...]], key: str, before: int, after: int, *, upsample: bool) -> None:
    shapes[f"{key}.conv.weight"] = (1, after, before, 3, 3)
    if upsample:
        shapes[f"{key}.conv.blur.kernel"] = (4, 4)
    shapes[f"{key}.conv.modulation.weight"] = (before, LATENT_CHANNELS)
    shapes[f"{key}.conv.modulation.bias"] = (before,)
    shapes[f"{key}.noise.weight"] = (1,)
    shapes[f"{key}.activate.bias"] = (2 * after,)


def _add_to_rgb(shapes: dict[str, tuple[int, ...]], key: str, before: int, *, upsample: bool) -> None:
    shapes[f"{key}.bias"] = (1, 3, 1, 1)
    if upsample:
        shapes[f"{key}.upsample.kernel"] = (4, 4)
    shapes[f"{key}.conv.weight"] = (1, 3, before, 1, 1)
    shapes[f"{key}.conv.modulation.weight"] = (before, LATENT_CHANNELS)
    shapes[f"{key}.conv.modulation.bias"] = (before,)
