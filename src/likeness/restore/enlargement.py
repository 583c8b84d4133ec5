"""How much larger a result is to be, apart from the work itself, so that a command line loads no NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from likeness.errors import ConfigError, ControlError
from likeness.messages.notice import Notice
from likeness.restore.kinds import Number, Switch, Text, Words, option, rows_of

__all__ = ["BACKGROUNDS", "MOST", "Enlargement"]

BACKGROUNDS = ("faithful", "clean", "lanczos")
"""Ways to enlarge that are always there: the network of the package, keeping noise and grain or removing them, and plain
interpolation. Any other is the name or the file of an enlarging network."""

MOST = 8.0
"""The largest factor."""

_ROW: Any = {"part": "enlargement", "group": "enlarging", "effect": "picture", "place": ""}


@dataclass(frozen=True, kw_only=True)
class Enlargement:
    """How a result is enlarged. Each field but the last is a row of the table of options (`likeness.restore.options`).

    Attributes:
        upscale: by how much width and height grow, 1 to 8; 1 leaves all but the faces as it is, to the last bit. "auto" is
            the smallest of 1, 2, 3 and 4 at which every selected face has as many pixels as the network drew, as far as
            ``max_output_pixels`` allows.
        long_side: the longer side of the result in pixels, instead of ``upscale``; a picture that has as much already stays
            as it is. None for no such wish.
        max_output_pixels: the most that an enlarged result may have.
        background: what enlarges the picture: "faithful" (what is there, larger: noise and grain stay), "clean" (without
            noise and traces of JPEG), "lanczos", or the name or file of an enlarging network.
        match_sharpness: whether a restored face that is sharper than what is around it passes over into it gradually.
        largest_side: the longest side that the result's file format holds (`FileFormat.largest_side`); None for no limit.

    Raises:
        ConfigError: for a value out of range, or both ``upscale`` and ``long_side``.
    """

    upscale: float | Literal["auto"] = option(
        Number(low=1.0, high=MOST, words=("auto",), step=0.5),
        default=1.0,
        aliases=("-s", "--sr-scale", "--sr_scale"),
        label=Words("Enlarge", "放大"),
        text=Words(
            "how many times as wide and high the result is; auto: until every face shows what the network drew, 4 at most",
            "结果宽高放大的倍数；auto：直到每张人脸都显出网络画出的细节，最多 4 倍",
        ),
        **_ROW,
    )
    long_side: int | None = option(
        Number(low=16, high=100_000, whole=True),
        default=None,
        unit="px",
        label=Words("Long side", "长边"),
        text=Words(
            "longer side of the result, instead of a factor; a larger picture stays as it is",
            "结果的长边，代替倍数；更大的图保持不变",
        ),
        **_ROW,
    )
    background: str | Path = option(
        # A request may name no file of the server's.
        Text(
            wanted="faithful, clean, lanczos, or the name or file of an enlarging model",
            more={"enum": list(BACKGROUNDS)},
        ),
        default="faithful",
        metavar="HOW",
        aliases=("--bg-upsampler", "--bg_upsampler"),
        label=Words("Background", "背景"),
        text=Words(
            "what enlarges all but the faces: faithful (noise and grain stay), clean (without them), lanczos, or a model",
            "用什么放大人脸以外的部分：faithful（保留噪点与颗粒）、clean（去除）、lanczos，或某个模型",
        ),
        **_ROW,
    )
    match_sharpness: bool = option(
        Switch(),
        default=True,
        label=Words("Match sharpness", "匹配清晰度"),
        text=Words(
            "let a face that is sharper than an enlarged picture pass over into it gradually",
            "放大后，让更清晰的人脸逐渐过渡到周围画面",
        ),
        **_ROW,
    )
    max_output_pixels: int = option(
        Number(low=1, whole=True, millions=True),
        default=100_000_000,
        given=("flag", "file"),
        label=Words("Largest result", "结果像素上限"),
        text=Words("refuse to make larger results; 200M is 200 megapixels", "拒绝生成更大的结果，200M 即两亿像素"),
        **_ROW,
    )
    largest_side: int | None = None

    def __post_init__(self) -> None:
        for row in rows_of(Enlargement):
            value = getattr(self, row.key)
            if value is None or isinstance(value, Path):
                continue
            try:
                row.check(value)
            except ControlError as error:
                raise ConfigError(error.notice) from error
        if self.long_side is not None and self.upscale != 1:
            raise ConfigError(Notice("enlarge.both"))

    @property
    def any(self) -> bool:
        """Whether anything may be enlarged."""
        return self.upscale != 1 or self.long_side is not None
