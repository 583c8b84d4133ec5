"""How a picture is turned, straightened and cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from likeness.errors import ControlError
from likeness.messages.notice import Notice
from likeness.restore.kinds import Choice, Number, Text, Words, option, rows_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from likeness.imaging.image import Box, Image, Size

__all__ = ["Framing"]

_STEEPEST = 15.0
_NUMBERS = re.compile(r"\d{1,6}(,\d{1,6}){3}")
_RATIO = re.compile(r"\d{1,4}:\d{1,4}")

_ROW: Any = {"part": "framing", "group": "framing", "effect": "picture", "place": "framing"}


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How a picture is turned and straightened before all else, and cut when all else is done.

    Faces are found upright, and those at the edge of what remains are restored with their surroundings.

    Attributes:
        turn: degrees clockwise: 0, 90, 180 or 270.
        straighten: degrees clockwise, -15 to 15; the picture is cut to its own proportions, so that no corner is empty.
        crop: "LEFT,TOP,RIGHT,BOTTOM" in pixels of the upright picture, or a ratio such as "4:5": the largest part of these
            proportions, with the faces as near to its middle as may be. None for all of it.

    Raises:
        ControlError: for a value that cannot be used.
    """

    turn: int = option(
        Choice(values=(0, 90, 180, 270)),
        default=0,
        unit="degrees",
        label=Words("Turn", "旋转"),
        text=Words("turn the picture clockwise, before faces are looked for", "先顺时针旋转图片，再查找人脸"),
        **_ROW,
    )
    straighten: float = option(
        Number(low=-_STEEPEST, high=_STEEPEST, step=0.1),
        default=0.0,
        unit="degrees",
        label=Words("Straighten", "拉直"),
        text=Words(
            "turn the picture clockwise by a few degrees and cut off the corners that this leaves empty",
            "将图片顺时针微调几度，并裁去因此空出的边角",
        ),
        **_ROW,
    )
    crop: str | None = option(
        Text(wanted=Notice("wanted.crop"), more={"pattern": f"^({_NUMBERS.pattern}|{_RATIO.pattern})$"}),
        default=None,
        metavar="RATIO|BOX",
        label=Words("Crop", "裁剪"),
        text=Words(
            "keep a part of the result: 4:5 is the largest of these proportions around the faces; or left,top,right,bottom "
            "in pixels of the upright picture",
            "只保留结果的一部分：4:5 为以人脸为中心、按此比例的最大部分；或摆正后图片中的 左,上,右,下 像素",
        ),
        **_ROW,
    )

    def __post_init__(self) -> None:
        for row in rows_of(Framing):
            if (value := getattr(self, row.key)) is not None:
                row.check(value)
        if self.crop is not None:
            numbers = self._numbers
            if numbers is None or (len(numbers) == 2 and 0 in numbers):
                raise ControlError(
                    Notice("option.refused", {"name": "crop", "wanted": Notice("wanted.crop"), "value": self.crop})
                )
            if len(numbers) == 4 and (numbers[0] >= numbers[2] or numbers[1] >= numbers[3]):
                raise ControlError(Notice("framing.empty", {"crop": self.crop}))

    @property
    def any(self) -> bool:
        """Whether it changes anything."""
        return self.moves or self.crop is not None

    @property
    def moves(self) -> bool:
        """Whether the picture is turned or straightened."""
        return self.turn != 0 or self.straighten != 0

    def without_crop(self) -> Framing:
        """The same without the last step."""
        return replace(self, crop=None)

    def upright(self, image: Image) -> Image:
        """The picture turned and straightened; not cut."""
        from likeness.imaging.framing import straightened, turned

        return straightened(turned(image, self.turn), self.straighten)

    def upright_map(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """H x W values in [0, 1], such as a damage mask, turned and straightened with the picture."""
        from likeness.imaging.framing import straightened_map, turned_map

        return straightened_map(turned_map(values, self.turn), self.straighten)

    def box(self, size: Size, faces: Sequence[Box] = ()) -> Box:
        """What is kept of an upright picture, on whole pixels.

        Args:
            size: the picture's.
            faces: where its faces are; a ratio's part lies around them.

        Raises:
            ControlError: if ``crop`` does not lie in the picture.
        """
        from likeness.imaging.image import Box

        numbers = self._numbers
        if numbers is None:
            return Box(0.0, 0.0, float(size.width), float(size.height))
        if len(numbers) == 4:
            left, top, right, bottom = numbers
            if right > size.width or bottom > size.height:
                raise ControlError(Notice("framing.outside", {"crop": str(self.crop), "size": str(size)}))
            return Box(float(left), float(top), float(right), float(bottom))
        across, down = numbers
        scale = min(size.width / across, size.height / down)
        width, height = max(1, int(across * scale + 1e-6)), max(1, int(down * scale + 1e-6))
        x, y = size.width / 2, size.height / 2
        if faces:
            x = (min(face.left for face in faces) + max(face.right for face in faces)) / 2
            y = (min(face.top for face in faces) + max(face.bottom for face in faces)) / 2
        left = round(min(max(x - width / 2, 0), size.width - width))
        top = round(min(max(y - height / 2, 0), size.height - height))
        return Box(float(left), float(top), float(left + width), float(top + height))

    def cropped(self, image: Image, size: Size, faces: Sequence[Box] = ()) -> Image:
        """The result cut.

        Args:
            image: the result, perhaps enlarged.
            size: of the upright picture that it was made from.
            faces: where the faces are in that picture.

        Raises:
            ControlError: as `box`.
        """
        from likeness.imaging.framing import cut
        from likeness.imaging.image import Box

        if self.crop is None:
            return image
        box = self.box(size, faces)
        across, down = image.size.width / size.width, image.size.height / size.height
        left, top = round(box.left * across), round(box.top * down)
        right, bottom = max(left + 1, round(box.right * across)), max(top + 1, round(box.bottom * down))
        return cut(image, Box(float(left), float(top), float(right), float(bottom)))

    @property
    def _numbers(self) -> tuple[int, ...] | None:
        text = self.crop or ""
        if _NUMBERS.fullmatch(text):
            return tuple(int(number) for number in text.split(","))
        return tuple(int(number) for number in text.split(":")) if _RATIO.fullmatch(text) else None
