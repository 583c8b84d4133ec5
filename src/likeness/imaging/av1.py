"""How strongly an AV1 picture was quantised, from the first bits of its data.

Source: AV1 Bitstream & Decoding Process Specification (2019), sections 5.3, 5.5 and 5.9.
"""

from __future__ import annotations

import numpy as np

__all__ = ["av1_quality", "base_quantiser"]

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6
_CHOSEN = 2  # what a sequence leaves to its frames
_MOST_TILE_COLUMNS = 64


# What the encoder used here makes of qualities, at speed 8 and 10 alike.
_QUALITIES = (100, 99, 98, 95, 90, 75, 50, 10)
_QUANTISERS = (0, 4, 8, 16, 32, 76, 148, 236)


def av1_quality(quantiser: int) -> int:
    """The quality, 1 to 100, for which the encoder used here takes a quantiser index."""
    return round(float(np.interp(quantiser, _QUANTISERS, _QUALITIES)))


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def read(self, count: int = 1) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the data end")
        return self._number >> self._left & ((1 << count) - 1)


class _Sequence:
    """What of a sequence header a frame header cannot be read without (5.5)."""

    def __init__(self, bits: _Bits) -> None:
        profile = bits.read(3)
        bits.read()
        self.reduced = bool(bits.read())
        self.order_bits = 0
        self.screen_content = self.integer_motion = _CHOSEN
        self.frame_ids = 0
        if self.reduced:
            bits.read(5)
        else:
            if bits.read():
                raise ValueError("a film's timing")
            delayed = bits.read()
            for _ in range(bits.read(5) + 1):
                bits.read(12)
                if bits.read(5) > 7:
                    bits.read()
                if delayed and bits.read():
                    bits.read(4)
        wide, high = bits.read(4) + 1, bits.read(4) + 1
        self.width, self.height = bits.read(wide) + 1, bits.read(high) + 1
        if not self.reduced and bits.read():
            self.frame_ids = bits.read(4) + 2
            self.frame_ids += bits.read(3) + 1
        self.large_blocks = bits.read()
        bits.read(2)
        if not self.reduced:
            bits.read(4)
            if ordered := bits.read():
                bits.read(2)
            self.screen_content = _CHOSEN if bits.read() else bits.read()
            if self.screen_content:
                self.integer_motion = _CHOSEN if bits.read() else bits.read()
            if ordered:
                self.order_bits = bits.read(3) + 1
        self.super_resolution = bits.read()
        bits.read(2)
        self.profile = profile


def base_quantiser(data: bytes) -> int | None:
    """The quantiser index of a still picture, 0 (finest) to 255; None where its headers are of a kind that is not read.

    Args:
        data: the beginning of the picture's data, or all.
    """
    sequence: _Sequence | None = None
    place = 0
    try:
        while place < len(data):
            head = data[place]
            kind = head >> 3 & 15
            place += 2 if head & 4 else 1
            size = len(data) - place
            if head & 2:
                size, place = _leb128(data, place)
            if kind == _SEQUENCE_HEADER:
                sequence = _Sequence(_Bits(data[place : place + size]))
            elif kind in (_FRAME_HEADER, _FRAME) and sequence is not None:
                return _frame(_Bits(data[place : place + min(size, 256)]), sequence)
            place += size
    except (ValueError, IndexError):
        return None
    return None


def _leb128(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        value |= (data[place] & 0x7F) << 7 * index
        place += 1
        if not data[place - 1] & 0x80:
            break
    return value, place


def _frame(bits: _Bits, sequence: _Sequence) -> int:
    """A key frame's header up to its quantiser (5.9.2)."""
    if not sequence.reduced and bits.read(4) != 0b0001:  # not shown again, a key frame, shown
        raise ValueError("no key frame that is shown")
    fixed_contexts = bits.read()
    screen_content = bits.read() if sequence.screen_content == _CHOSEN else sequence.screen_content
    if screen_content and sequence.integer_motion == _CHOSEN:
        bits.read()
    if sequence.frame_ids:
        bits.read(sequence.frame_ids)
    if not sequence.reduced and bits.read():
        raise ValueError("a frame of a size of its own")
    bits.read(sequence.order_bits)
    if sequence.super_resolution and bits.read():
        raise ValueError("a frame of a size of its own")
    if bits.read():
        bits.read(32)
    if screen_content:
        bits.read()
    if not sequence.reduced and not fixed_contexts:
        bits.read()
    _tiles(bits, sequence)
    return bits.read(8)


def _tiles(bits: _Bits, sequence: _Sequence) -> None:
    """The layout of tiles (5.9.15)."""
    shift = 5 if sequence.large_blocks else 4
    columns, rows = ((2 * (side + 7 >> 3) + (1 << shift) - 1) >> shift for side in (sequence.width, sequence.height))
    side = shift + 2
    least_columns = _log2(4096 >> side, columns)
    least = max(least_columns, _log2(4096 * 2304 >> 2 * side, rows * columns))
    if not bits.read():
        raise ValueError("tiles of sizes of their own")
    across = least_columns
    while across < _log2(1, min(columns, _MOST_TILE_COLUMNS)) and bits.read():
        across += 1
    down = max(least - across, 0)
    while down < _log2(1, min(rows, _MOST_TILE_COLUMNS)) and bits.read():
        down += 1
    if across or down:
        bits.read(across + down + 2)


def _log2(unit: int, target: int) -> int:
    power = 0
    while unit << power < target:
        power += 1
    return power
