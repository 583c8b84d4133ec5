"""What is said to a client about each finding: the reason in plain words, and what to do."""

from __future__ import annotations

from likeness.errors import ConfigError
from likeness.faces.findings import Finding
from likeness.imaging.image import Size
from likeness.studio.captions import Language

__all__ = ["LANGUAGES", "REASONS", "as_language", "counted", "reason_and_advice", "salutation"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")

_ADVICE: dict[str, tuple[str, str]] = {
    "original": (
        "Please send the original file from the camera or phone, larger than {wanted} pixels on its shorter side: no "
        "screenshot, no preview, and not a picture that came through a messenger.",
        "请发送相机或手机中的原始文件，短边大于 {wanted} 像素；不要发送截图、缩略图或经聊天软件压缩过的图片。",
    ),
    "again": (
        "Please open the file on your computer to see whether it is whole, and send it again, best as a JPEG or PNG file.",
        "请先在电脑上打开文件确认完好，再重新发送，最好是 JPEG 或 PNG 格式。",
    ),
    "upright": (
        "Please send a picture in which the face can be seen well, upright and not too small.",
        "请发送一张能看清面部的照片，方向要正，人脸不要太小。",
    ),
    "other": (
        "Please send another picture of the same person, if there is one.",
        "如果有同一个人的其他照片，请发送另一张。",
    ),
    "which": (
        "Please tell us which of the persons is to be restored.",
        "请告诉我们需要修复其中的哪一位。",
    ),
    "light": (
        "Please send another picture, or the camera's raw file, if there is one.",
        "如果有其他照片或相机的 RAW 文件，请发送给我们。",
    ),
    "colours": (
        "Please send the file as it was before it was prepared for print, with its colour profile.",
        "请发送印前处理之前的文件，并保留其中的颜色配置文件。",
    ),
    "ask": (
        "Please tell us whether you want us to try all the same.",
        "请告诉我们是否仍然希望尝试修复。",
    ),
}

REASONS: dict[str, tuple[str, str, str]] = {
    "unreadable": (
        "The file cannot be opened: it is damaged, incomplete, or no picture.",
        "文件无法打开：可能已损坏、不完整，或者不是图片。",
        "again",
    ),
    "raw": (
        "The file is a camera's raw file, which has to be developed first.",
        "文件是相机的 RAW 文件，需要先冲洗。",
        "again",
    ),
    "size-small": (
        "The picture is too small{size}: we need at least {limit} pixels on its shorter side.",
        "照片太小{size}：短边至少需要 {limit} 像素。",
        "original",
    ),
    "no-face": (
        "We could not find a face in this picture.",
        "在这张照片中没有找到人脸。",
        "upright",
    ),
    "several-faces": (
        "There is more than one face in this picture.",
        "照片中有不止一张人脸。",
        "which",
    ),
    "face-small": (
        "The face in this picture is too small; too little of the person is left in it.",
        "照片中的人脸太小，保留下来的细节太少。",
        "original",
    ),
    "face-cut": (
        "Part of the face lies outside the picture.",
        "人脸有一部分在画面之外。",
        "other",
    ),
    "face-unclear": (
        "Eyes and mouth cannot be made out in this picture.",
        "照片中看不清眼睛和嘴。",
        "other",
    ),
    "face-turned": (
        "The head is turned so far that we cannot see the other side of the face.",
        "头部侧转太多，看不到另一侧的脸。",
        "other",
    ),
    "face-tilted": (
        "The head looks so far up or down that nose and mouth cannot be seen well.",
        "头部仰起或低下太多，看不清鼻子和嘴。",
        "other",
    ),
    "eyes-closed": (
        "The eyes look closed, and we do not want to invent them.",
        "眼睛看起来是闭着的，我们不愿凭空画出眼睛。",
        "other",
    ),
    "face-dark": (
        "The face is too dark.",
        "面部太暗。",
        "light",
    ),
    "face-bright": (
        "The face is so bright that its skin shows no detail any more.",
        "面部过亮，皮肤已经没有细节。",
        "light",
    ),
    "backlit": (
        "The light comes from behind, and the face is in shadow.",
        "照片逆光，面部处在阴影中。",
        "light",
    ),
    "glare-forehead": (
        "A light is reflected on the forehead.",
        "额头上有反光。",
        "other",
    ),
    "glare-nose": (
        "A light is reflected on the nose.",
        "鼻子上有反光。",
        "other",
    ),
    "glare-spectacles": (
        "A light is reflected in the spectacles, and the eyes cannot be seen well.",
        "眼镜反光，看不清眼睛。",
        "other",
    ),
    "drawing": (
        "This looks like a drawing or an engraving; we restore photographs.",
        "这看起来是绘画或版画，而我们修复的是照片。",
        "ask",
    ),
    "background-busy": (
        "The background is so busy that the hair cannot be told from it.",
        "背景太杂乱，无法与头发分开。",
        "other",
    ),
    "file-damaged": (
        "The file is damaged, though its picture could be read.",
        "文件有损坏，但图片仍可读取。",
        "again",
    ),
    "several-pages": (
        "The file holds several pictures, and we restore one of them.",
        "文件含有多张图片，我们只修复其中一张。",
        "ask",
    ),
    "animated": (
        "The file holds an animation or a film, and we restore one picture of it.",
        "文件含有动画或视频，我们只修复其中一张画面。",
        "ask",
    ),
    "gain-map": (
        "The file holds data for HDR screens, which would be lost.",
        "文件含有 HDR 屏幕用的数据，修复后会丢失。",
        "ask",
    ),
    "hdr": (
        "The picture is HDR, and its brightest parts would be lost.",
        "照片为 HDR，最亮的部分会丢失。",
        "ask",
    ),
    "cmyk": (
        "The file was prepared for print, and its colours would change.",
        "文件是为印刷准备的，颜色会发生变化。",
        "colours",
    ),
    "profile-damaged": (
        "The file's colour profile is damaged, so its colours cannot be trusted.",
        "文件的颜色配置文件已损坏，颜色可能不准确。",
        "colours",
    ),
    "profile-missing": (
        "The file's colour profile is missing, so its colours cannot be trusted.",
        "文件缺少颜色配置文件，颜色可能不准确。",
        "colours",
    ),
    "wide-gamut": (
        "The picture holds colours that would be lost.",
        "照片中的部分颜色会丢失。",
        "ask",
    ),
    "grey": (
        "The picture is black and white, and would stay so.",
        "照片是黑白的，修复后也仍是黑白。",
        "ask",
    ),
}
"""By the finding's code: the reason in English and in Chinese, and the advice that goes with it."""


def as_language(text: str, where: str) -> Language:
    """A language by its code ("en", "zh", also "zh-CN" or "English").

    Raises:
        ConfigError: for one that there are no words in; ``where`` says where it was written.
    """
    known: dict[str, Language] = {"en": "en", "english": "en", "zh": "zh", "chinese": "zh", "中文": "zh", "英文": "en"}
    found = known.get(text.strip().lower().replace("_", "-").split("-")[0])
    if found is None:
        raise ConfigError(f'{where}: "{text}" is no language that notices are written in; use en or zh')
    return found


def reason_and_advice(finding: Finding, size: Size | None, language: Language, *, wanted: int) -> tuple[str, str]:
    """A finding in a client's words: the reason, and what to do.

    Args:
        finding: what is the matter.
        size: of the picture, where it is known.
        language: of the client.
        wanted: the shorter side that the studio likes to get, px.
    """
    at = LANGUAGES.index(language)
    reason, advice = REASONS[finding.code][at], _ADVICE[REASONS[finding.code][2]][at]
    limit = f"{finding.limit:g}" if finding.limit is not None else "150"
    shown = (
        ""
        if size is None
        else f" ({size.width} x {size.height})"
        if language == "en"
        else f"（{size.width}×{size.height}）"
    )
    return reason.format(size=shown, limit=limit), advice.format(wanted=max(wanted, round(finding.limit or 0)))


def counted(number: int, language: Language) -> str:
    """Such as "1 picture", "3 pictures"."""
    return f"{number} 张照片" if language == "zh" else f"{number} picture{'' if number == 1 else 's'}"


def salutation(client: str, language: Language) -> str:
    """Such as "Dear Ana Lima,"; without a name "Dear client,"."""
    if language == "zh":
        return f"{client}，您好：" if client else "您好："
    return f"Dear {client or 'client'},"
