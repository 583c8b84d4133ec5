"""What a decoder hands on, made ready: upright, in sRGB, from 0 to 1."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour_signal import ColourSignal, cicp_signal, hdr_to_srgb, signal_profile
from likeness.imaging.decoded import Decoded
from likeness.imaging.icc import can_convert_back, from_srgb, is_srgb_profile, profile_cicp, profile_space, to_srgb
from likeness.imaging.origin import Note, NoteCode
from likeness.imaging.samples import Samples, to_unit

__all__ = ["Developed", "develop", "try_profile"]

_log = logging.getLogger(__name__)

_WORDS: dict[NoteCode, str] = {
    "file-damaged": "it is damaged ({}), but no pixel is missing; it was read all the same",
    "several-pages": "it holds further pictures, which are left out",
    "animated": "it holds an animation or a film, of which only this one picture is taken",
    "gain-map": "it holds a gain map for HDR screens, which is left out",
    "hdr": "it holds HDR, of which what is brighter than white or outside sRGB is cut",
}
"""What the log says to a note."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Developed:
    """Those fields of an `likeness.imaging.image.Image` that are not as in `Decoded`."""

    pixels: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    bit_depth: Literal[8, 16]
    icc_profile: bytes | None
    native: Samples | None
    profile_fault: str
    notes: tuple[Note, ...]


def develop(decoded: Decoded, name: str) -> Developed:
    """The samples upright, in sRGB, from 0 to 1; ``name`` is what the log calls the picture."""
    samples = _upright(decoded.samples, decoded.orientation)
    alpha = None if decoded.alpha is None else to_unit(_upright(decoded.alpha, decoded.orientation))
    profile, fault = _usable_profile(decoded.icc_profile, samples.ndim == 2, name)
    hdr = _hdr_signal(decoded.signal, profile)
    if decoded.signal is not None and hdr is None:
        made = signal_profile(decoded.signal, grey=samples.ndim == 2)
        profile = None if is_srgb_profile(made) else made
    notes, native = decoded.notes, None
    if hdr is not None:
        notes, profile = (*notes, Note(code="hdr", value=str(hdr.transfer).upper())), None
    for note in notes:
        _log.warning("%s: %s", name, _WORDS[note.code].format(note.value))
    if hdr is not None:
        values = hdr_to_srgb(samples, hdr)
    elif profile is None or is_srgb_profile(profile):
        values = to_unit(samples)
    else:
        samples = np.ascontiguousarray(samples)
        values = to_srgb(samples, profile)
        if can_convert_back(profile):
            native = _three_channels(samples)
        else:
            _log.info("%s: its ICC profile has no way back, the result will be sRGB", name)
            profile = None
    return Developed(
        pixels=_three_channels(values),
        alpha=alpha,
        bit_depth=8 if samples.dtype == np.uint8 else 16,
        icc_profile=profile,
        native=native,
        profile_fault=decoded.profile_fault or fault,
        notes=notes,
    )


def _hdr_signal(signal: ColourSignal | None, profile: bytes | None) -> ColourSignal | None:
    """PQ or HLG by what the file names, or its profile beside its curves, which only come near it."""
    if signal is None and profile is not None and (named := profile_cicp(profile)):
        with contextlib.suppress(ValueError):
            signal = cicp_signal(*named)
    return signal if signal is not None and signal.is_hdr else None


def try_profile(decoded: Decoded) -> None:
    """Do with a picture's profile, for one pixel, what `develop` and the way back to a file do with it."""
    profile, pixel = decoded.icc_profile, np.ascontiguousarray(decoded.samples[:1, :1])
    with contextlib.suppress(ValueError):
        if profile and not is_srgb_profile(profile):
            values = to_srgb(pixel, profile)
            if can_convert_back(profile):
                from_srgb(values, profile, 8)


def _usable_profile(profile: bytes | None, grey: bool, name: str) -> tuple[bytes | None, str]:
    """The profile if it describes these samples; one that does not is left out with a warning, as browsers do, and why."""
    if not profile:
        return None, ""
    try:
        space = profile_space(profile)
        if space != "RGB" and not (space == "GRAY" and grey):
            raise ValueError(f"an ICC profile of kind {space} does not fit the samples")
        is_srgb_profile(profile)
    except ValueError as error:
        _log.warning("%s: %s; its colours are taken as sRGB and the profile is left out", name, error)
        return None, str(error)
    return profile, ""


def _upright(samples: Samples, turn: int) -> Samples:
    """A view of the samples with an EXIF orientation (CIPA DC-008, 4.6.4) undone."""
    if turn in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        samples = samples[::-1]
    if turn in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def _three_channels(samples: Any) -> Any:
    """Grey as three equal channels without copying: one plane, seen three times."""
    return samples if samples.ndim == 3 else np.broadcast_to(samples[..., None], (*samples.shape, 3))
