"""Which tensors a GPEN checkpoint holds, and whether a file holds them."""

from __future__ import annotations

from collections.abc import Mapping

from likeness.errors import CheckpointFormatError
from likeness.models.gpen.config import LATENT_CHANNELS, MAPPING_LAYERS, GpenConfig

__all__ = ["Shapes", "check_shapes", "config_from_shapes", "expected_shapes"]

Shapes = Mapping[str, tuple[int, ...]]
"""Tensor shapes by name."""

_FOREIGN: tuple[tuple[str, str], ...] = (
    ("quantize.embedding.weight", "CodeFormer or another codebook network"),
    ("stylegan_decoder.", "GFPGAN"),
    ("conv_body_first.", "GFPGAN"),
    ("body.0.rdb1.", "ESRGAN, an upscaler"),
    ("RRDB_trunk.", "ESRGAN, an upscaler"),
    ("final_conv.0.weight", "a StyleGAN2 discriminator (a -D file), not a generator"),
    ("style.1.weight", "StyleGAN2 without an encoder"),
    ("ClassHead.0.", "RetinaFace, a face detector"),
)
"""Names that give other well-known networks away, the more telling ones first."""


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


def config_from_shapes(shapes: Shapes, source: str) -> GpenConfig:
    """The configuration that a state dict's shapes describe.

    Args:
        shapes: the state dict's shapes.
        source: what to call the file in an error.

    Raises:
        CheckpointFormatError: if they describe no GPEN network; the message names the other network if it is known.
    """
    try:
        return GpenConfig.from_shapes(shapes)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        for telling, network in _FOREIGN:
            if any(name.startswith(telling) for name in shapes):
                raise CheckpointFormatError(
                    f"{source} holds {network}; Likeness runs GPEN checkpoints, see `likeness models list`."
                ) from error
        detail = f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise CheckpointFormatError(
            f"{source} is not a GPEN checkpoint ({detail}); see `likeness models list` for those that are."
        ) from error


def check_shapes(shapes: Shapes, config: GpenConfig, source: str) -> None:
    """Hold a state dict's shapes to those of a configuration.

    Raises:
        CheckpointFormatError: on the first of: tensors missing, unexpected tensors, a wrong shape.
    """
    expected = expected_shapes(config)
    network = f"a GPEN network of size {config.size}"
    advice = "fetch or export the file again."
    missing = [name for name in expected if name not in shapes]
    if missing:
        raise CheckpointFormatError(f"{source} is not {network}: {_some(missing)} missing; {advice}")
    unexpected = [name for name in shapes if name not in expected]
    if unexpected:
        raise CheckpointFormatError(f"{source} is not {network}: {_some(unexpected)} unexpected; {advice}")
    for name, shape in expected.items():
        if tuple(shapes[name]) != shape:
            raise CheckpointFormatError(
                f"{source} is not {network}: {name} is {_times(shapes[name])} instead of {_times(shape)}; {advice}"
            )


def _some(names: list[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} is"
    return f"{names[0]} and {len(names) - 1} more tensors are"


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
