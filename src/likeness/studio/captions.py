"""What proofs say, in English and Chinese: titles, and two lines on what was done and what was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from likeness.imaging.image import Image

__all__ = ["WORDS", "Captions", "Language", "Words", "done_line", "kept_line", "untouched"]

Language: TypeAlias = Literal["en", "zh"]


@dataclass(frozen=True, kw_only=True)
class Captions:
    """The two lines of a proof: what was done, and what was kept."""

    done: str
    kept: str


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a proof says apart from its captions, in one language.

    Attributes:
        tag: the language as HTML names it.
        before, after: titles of the pictures.
        details: titles of enlarged places, by name.
        notes: what to look for there.
        enlarged: title of the enlarged places of face {number}; ``enlarged_one`` where there is one face only.
        title: of the page, with {name}.
        slider: what the slider is called to those who cannot see it.
        hint: how to use it.
        position: what it says of its position, with {percent}.
        small_print: that this is no delivery.
        index: title of the index of {count} proofs; ``index_one`` where there is one only.
    """

    tag: str
    before: str
    after: str
    details: Mapping[str, str]
    notes: Mapping[str, str]
    enlarged: str
    enlarged_one: str
    title: str
    slider: str
    hint: str
    position: str
    small_print: str
    index: str
    index_one: str


WORDS: Mapping[Language, Words] = {
    "en": Words(
        tag="en",
        before="Before",
        after="After",
        details={"eyes": "Eyes", "hair": "Hair edge", "skin": "Skin", "face": "Face"},
        notes={
            "eyes": "A living iris shows fibres that run outward, not an even ring; lids and lashes should be as they were.",
            "hair": "Strands should fade softly into their surroundings, without a saw-tooth or cut-out edge.",
            "skin": "Pores, lines and moles that the photograph held should still be there; nothing like plastic.",
            "face": "",
        },
        enlarged="Face {number} at 200%",
        enlarged_one="At 200%",
        title="{name}: before and after",
        slider="Compare before and after",
        hint="Drag the line, or use the arrow keys.",
        position="{percent}% before",
        small_print="Proof for approval, reduced in size. Not for print.",
        index="{count} proofs",
        index_one="1 proof",
    ),
    "zh": Words(
        tag="zh-Hans",
        before="修复前",
        after="修复后",
        details={"eyes": "眼睛", "hair": "发丝边缘", "skin": "皮肤", "face": "面部"},
        notes={
            "eyes": "虹膜应有向外放射的纹理，而不是一圈平色；眼睑与睫毛保持原样。",
            "hair": "发丝应柔和过渡到周围，没有锯齿，也没有抠图般的边缘。",
            "skin": "照片原有的毛孔、细纹与痣都应保留，没有塑料感。",
            "face": "",
        },
        enlarged="第 {number} 张面孔，放大至 200%",
        enlarged_one="放大至 200%",
        title="{name}：修复前后对比",
        slider="对比修复前后",
        hint="拖动分界线，或使用方向键。",
        position="修复前 {percent}%",
        small_print="供确认的样张，尺寸已缩小，不可用于印刷。",
        index="{count} 张样张",
        index_one="1 张样张",
    ),
}

_PRESETS_ZH = {
    "standard": "标准",
    "natural": "自然",
    "early-digital": "早期数码",
    "ai-portrait": "AI 人像",
    "film-scan": "胶片扫描",
    "low-light": "弱光",
}

_PERSONS_DIFFER = 0.6
"""Distance of dlib's face embedding from which two faces are taken for two persons."""

_SAME_LEVEL = 2.5 / 255
"""What JPEG moves a flat area by when it is written again."""


def done_line(language: Language, record: Mapping[str, Any] | None, faces: int) -> str:
    """What was done, from a run's record (`likeness.studio.reports.Record`) as far as there is one."""
    if record is None:
        if language == "zh":
            return f"人像修复：{faces} 张面孔。" if faces else "图片修复。"
        return f"Portrait restoration: {_faces(faces)}." if faces else "Picture restoration."
    controls = cast("Mapping[str, Any]", record.get("controls") or {})
    preset = str(record.get("preset") or "")
    strength = float(controls.get("strength", 1.0))
    restored = sum(face.get("status") == "restored" for face in record.get("faces", ()))
    grain, repaired = bool(controls.get("keep_grain")), record.get("repairs") is not None
    if language == "zh":
        how = f"“{_PRESETS_ZH.get(preset, preset)}”预设" if preset else "自定义设置"
        parts = [f"采用{how}修复，强度 {strength:.0%}", f"{restored} 张面孔"]
        parts += ["保留胶片颗粒"] * grain + ["并修补整幅画面"] * repaired
        return f"{'，'.join(parts)}。"
    how = f'the preset "{preset}"' if preset else "settings of its own"
    parts = [f"Restored with {how} at {strength:.0%} strength", _faces(restored)]
    parts += ["film grain kept"] * grain + ["whole picture repaired"] * repaired
    return f"{', '.join(parts)}."


def kept_line(language: Language, figures: Sequence[Mapping[str, Any]], share: float | None) -> str:
    """What was kept, in figures.

    Args:
        language: "en" or "zh".
        figures: of the largest face, as `likeness.evidence` puts them into JSON; those that were not measured are left out.
        share: of the picture that is as it was (`untouched`), None if the sizes differ.
    """
    values = {figure["name"]: figure["after"] for figure in figures if figure.get("after") is not None}
    shares = max((abs(change) for change in _proportions(figures)), default=None)
    zh = language == "zh"
    parts: list[str] = []
    if "identity" in values:
        text = "身份差异 {:.2f}（{} 以上为不同的人）" if zh else "identity {:.2f} ({} and more: another person)"
        parts.append(text.format(values["identity"], _PERSONS_DIFFER))
    if shares is not None:
        parts.append(f"五官比例变化不超过 {shares:.1%}" if zh else f"proportions within {shares:.1%}")
    if "colour_skin" in values:
        text = "肤色差异 ΔE {:.1f}" if zh else "skin tone ΔE {:.1f}"
        parts.append(text.format(values["colour_skin"]))
    if "plastic_skin" in values:
        text = "皮肤磨平 {:.0f}%" if zh else "{:.0f}% of the skin smoothed"
        parts.append(text.format(values["plastic_skin"]))
    if share is not None:
        parts.append(f"画面 {share:.0%} 保持原样" if zh else f"{share:.0%} of the picture untouched")
    if not parts:
        return ""
    return f"保留情况：{'；'.join(parts)}。" if zh else f"Kept: {', '.join(parts)}."


def _proportions(figures: Sequence[Mapping[str, Any]]) -> list[float]:
    """Relative changes of the face's large proportions; the small ones move with the mesh alone."""
    wanted = ("face_shape", "jaw", "eye_distance", "nose_length")
    return [
        figure["after"] / figure["before"] - 1
        for figure in figures
        if figure["name"] in wanted and figure.get("before") and figure.get("after") is not None
    ]


def untouched(before: Image, after: Image) -> float | None:
    """The share of pixels that moved by no more than two 8-bit levels, in [0, 1]; None if the sizes differ."""
    if before.size != after.size:
        return None
    return float((np.abs(before.pixels - after.pixels).max(axis=2) <= _SAME_LEVEL).mean())


def _faces(count: int) -> str:
    return f"{count} face{'' if count == 1 else 's'}"
