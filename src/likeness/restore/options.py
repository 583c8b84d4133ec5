"""The table of options: every setting of a restoration, once.

The flags of the command line, the keys of configuration files, the columns of lists, the fields of requests and their
OpenAPI document, the page's sliders, the client, and the tables in the documents all come from here. Controls are rows in
their own class (`likeness.restore.controls.Controls`); everything else is a row below.
"""

from __future__ import annotations

from typing import Any, get_args

from likeness.core.spelling import known_and_meant
from likeness.errors import ConfigError
from likeness.messages.notice import Notice
from likeness.models.spec import FACE_PURPOSES
from likeness.restore.by_face import ByFace
from likeness.restore.controls import AUTO, PRESETS, Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.framing import Framing
from likeness.restore.kinds import Choice, Number, Option, Switch, Text, Words, rows_of
from likeness.restore.on_bad import OnBad

__all__ = ["OPTIONS", "row_of"]

_AMOUNT: Any = {
    "kind": Number(low=0.0, high=1.0, alone=1.0),
    "default": 0.0,
    "group": "repairs",
    "part": "repairs",
    "place": "repair",
}
_FACES: Any = {"group": "faces", "part": "selection"}
_SIZE: Any = {"kind": Number(low=0.0, high=100_000.0), "unit": "px", **_FACES}
_RUN: Any = {"group": "files", "effect": "run", "given": ("flag", "file")}
_CHECKED: Any = {"group": "files", "effect": "run", "given": ("file",)}
_RESULT: Any = {"group": "files", "effect": "file", "part": "picture"}
"""What some rows have in common."""

_CONTROLS = (
    Option(
        key="preset",
        kind=Text(wanted=Notice("wanted.preset-name"), more={"enum": [*PRESETS, AUTO]}),
        default="standard",
        group="controls",
        effect="face",
        per_face=True,
        metavar="NAME",
        label=Words("Preset", "预设"),
        help=Words(
            f"what the controls start from: {', '.join(PRESETS)}; or auto, which chooses for each picture",
            "各项控制的起点；auto 按每张照片自动选择",
        ),
    ),
    *rows_of(Controls),
)

OPTIONS: tuple[Option, ...] = (
    Option(
        key="model_path",
        kind=Text(wanted=Notice("wanted.checkpoint-file"), file=True),
        label=Words("Checkpoint", "权重文件"),
        help=Words("a checkpoint file instead of a model's name", "用权重文件代替模型名称"),
        **_CHECKED,
    ),
    Option(
        key="model",
        kind=Text(wanted=Notice("wanted.model-name")),
        unset="likeness-512",
        metavar="NAME|FILE",
        label=Words("Model", "模型"),
        help=Words("likeness models list shows the names", "名称见 likeness models list"),
        **_RUN,
    ),
    Option(
        key="task",
        kind=Choice(values=FACE_PURPOSES),
        unset="the model's",
        label=Words("Task", "任务"),
        help=Words(
            "what the model does, where its file does not tell; one that is for something else is refused",
            "模型的用途（文件未注明时）；用途不同的模型会被拒绝",
        ),
        **_RUN,
    ),
    Option(
        key="picture_model",
        kind=Text(wanted=Notice("wanted.model-name")),
        metavar="NAME|FILE",
        label=Words("Model for whole pictures", "整图模型"),
        help=Words(
            "works on the whole picture before faces are restored: ddcolor_modelscope colours it, big-lama fills what "
            "--damage-mask shows outside of faces; as --model it works alone",
            "在修复人脸之前处理整张图：ddcolor_modelscope 上色，big-lama 填补人脸以外的缺损；作为 --model 时单独工作",
        ),
        **_RUN,
    ),
    Option(
        key="fidelity",
        kind=Number(low=0.0, high=1.0),
        unset="0.5",
        label=Words("Fidelity", "保真度"),
        help=Words(
            "CodeFormer's own weight: 1 keeps to the photograph, 0 draws more freely; other models refuse it",
            "CodeFormer 自身的权重：1 更忠于原图，0 更自由；其他模型不接受",
        ),
        **_RUN,
    ),
    Option(
        key="size",
        kind=Number(low=1, whole=True),
        unit="px",
        label=Words("Size", "尺寸"),
        help=Words("side of the model's crop; checked, never set", "模型裁切的边长，仅核对"),
        **_CHECKED,
    ),
    Option(
        key="channel_multiplier",
        kind=Number(low=0.0),
        label=Words("Channels", "通道倍数"),
        help=Words("of the model; checked, never set", "模型的通道倍数，仅核对"),
        **_CHECKED,
    ),
    *_CONTROLS,
    Option(
        key="face_controls",
        attribute="changes",
        part="face_controls",
        kind=ByFace(rows=tuple(row for row in _CONTROLS if row.per_face)),
        default={},
        group="controls",
        effect="face",
        flag="--face",
        metavar="N:NAME=X,...",
        label=Words("Settings for one face", "单张人脸的设置"),
        help=Words(
            "what one face has of its own, such as 2:strength=0.5,grain or 1,3:natural; repeatable",
            "单张人脸的单独设置，如 2:strength=0.5,grain 或 1,3:natural；可重复",
        ),
    ),
    *rows_of(Framing),
    Option(
        key="mend_scratches",
        attribute="scratches",
        label=Words("Scratches and dust", "划痕与灰尘"),
        help=Words(
            "find scratches, dust, tears and missing corners, and fill them", "找出并填补划痕、灰尘、撕裂与缺角"
        ),
        **_AMOUNT,
    ),
    Option(
        key="mend_sensitivity",
        attribute="sensitivity",
        kind=Number(low=0.0, high=1.0),
        default=0.5,
        group="repairs",
        part="repairs",
        place="repair",
        label=Words("Sensitivity", "灵敏度"),
        help=Words(
            "how readily something is taken for damage: 0 what surely is, 1 whatever may be",
            "判定为损伤的灵敏度：0 只取确定的，1 包括一切可能的",
        ),
    ),
    Option(
        key="balance",
        label=Words("Yellowing and fading", "泛黄与褪色"),
        help=Words("take yellowing and fading back", "还原泛黄与褪色"),
        **_AMOUNT,
    ),
    Option(
        key="defringe",
        attribute="fringes",
        label=Words("Purple fringes", "紫边"),
        help=Words("fade purple fringes at edges", "淡化边缘的紫边"),
        **_AMOUNT,
    ),
    Option(
        key="descreen",
        attribute="screen",
        label=Words("Printed dots", "印刷网点"),
        help=Words("take the dots of printed pictures away", "消除印刷品的网点"),
        **_AMOUNT,
    ),
    Option(
        key="damage_mask",
        kind=Text(wanted=Notice("wanted.picture-file"), file=True),
        group="repairs",
        given=("flag", "file"),
        metavar="FILE",
        label=Words("Damage", "缺损"),
        help=Words(
            "a picture as large as the one to restore, white where that holds nothing (ink, holes): filled, never restored",
            "与原图同样大小的图，缺损处为白色：只填补，不修复",
        ),
    ),
    Option(
        key="faces",
        attribute="which",
        kind=Text(
            wanted=Notice("wanted.faces"),
            numbers=True,
            more={
                "pattern": "^(all|largest|centre|center|[0-9]{1,5}(,[0-9]{1,5}){0,99})$",
                "examples": ["largest", "1,3"],
            },
        ),
        default="all",
        metavar="WHICH",
        label=Words("Faces", "人脸"),
        help=Words("all, largest, centre, or numbers in reading order: 1,3", "all、largest、centre 或编号，如 1,3"),
        **_FACES,
    ),
    Option(
        key="min_face",
        attribute="min_size",
        default=0.0,
        label=Words("Smallest face", "最小人脸"),
        help=Words("leave faces alone that are narrower", "更窄的人脸不处理"),
        **_SIZE,
    ),
    Option(
        key="max_face",
        attribute="max_size",
        label=Words("Largest face", "最大人脸"),
        help=Words("leave faces alone that are wider", "更宽的人脸不处理"),
        **_SIZE,
    ),
    Option(
        key="aligned",
        kind=Switch(),
        default=False,
        group="faces",
        part="picture",
        label=Words("Aligned", "已对齐"),
        help=Words("the pictures are FFHQ-aligned crops of one face each", "图片是按 FFHQ 对齐的单张人脸"),
    ),
    Option(
        key="references",
        kind=Text(wanted=Notice("wanted.pictures"), file=True, several=True),
        group="references",
        given=("flag", "file"),
        flag="--reference",
        metavar="FILE",
        label=Words("Other photographs", "其他照片"),
        help=Words(
            "other photographs of the same persons, files or folders: they lend their detail to the faces that they fit",
            "同一人的其他照片（文件或文件夹）：为相符的人脸提供细节",
        ),
    ),
    Option(
        key="album",
        kind=Text(wanted=Notice("wanted.album"), file=True),
        group="references",
        given=("flag", "file"),
        metavar="FILE",
        label=Words("Album", "相册"),
        help=Words(
            "serve each face with the best photographs of the same person: people.json of likeness people, or a folder",
            "用同一人最好的照片为每张脸提供细节：likeness people 生成的 people.json，或一个文件夹",
        ),
    ),
    Option(
        key="trust_references",
        kind=Switch(),
        default=False,
        group="references",
        part="picture",
        label=Words("Trust the photographs", "信任参考照片"),
        help=Words(
            "they show the same persons, also where the faces look like others'",
            "参考照片确为同一人，即使看起来不像",
        ),
    ),
    *rows_of(Enlargement),
    Option(
        key="on_bad",
        kind=Choice(values=get_args(OnBad)),
        unset="lower in a batch, else keep",
        label=Words("Bad results", "效果不好时"),
        help=Words(
            "a face that came out bad: keep it, restore it with less strength if that helps, or leave it as it was",
            "修复效果不好的人脸：保留结果、降低强度（若有用），或保持原样",
        ),
        group="faces",
        part="picture",
        effect="face",
    ),
    Option(
        key="copy_unrestored",
        kind=Switch(),
        default=False,
        label=Words("Copy", "复制"),
        help=Words("where there is no face to restore, copy the picture to its result", "没有可修复的人脸时复制原图"),
        **_RUN,
    ),
    Option(
        key="device",
        kind=Choice(values=("auto", "cpu", "cuda", "directml", "coreml")),
        unset="auto",
        label=Words("Device", "设备"),
        help=Words("auto takes a CUDA device if there is one", "auto 在有 CUDA 设备时使用它"),
        **_RUN,
    ),
    Option(
        key="runtime",
        kind=Choice(values=("auto", "openvino", "pytorch", "onnx")),
        unset="auto",
        label=Words("Runtime", "运行库"),
        help=Words(
            "what runs the network; auto goes by the device: OpenVINO, PyTorch for cuda, ONNX Runtime for the others",
            "运行网络的库；auto 按设备选择：OpenVINO，cuda 用 PyTorch，其余用 ONNX Runtime",
        ),
        **_RUN,
    ),
    Option(
        key="precision",
        kind=Choice(values=("auto", "f32", "bf16")),
        unset="auto",
        label=Words("Precision", "精度"),
        help=Words("arithmetic of the network", "网络的运算精度"),
        **_RUN,
    ),
    Option(
        key="threads",
        kind=Number(low=1, whole=True),
        unset="all",
        label=Words("Threads", "线程"),
        help=Words("processor threads of the network", "网络使用的处理器线程数"),
        **_RUN,
    ),
    Option(
        key="quality",
        kind=Number(low=1, high=100, whole=True),
        unset="as the picture's file",
        label=Words("Quality", "质量"),
        help=Words("for JPEG, WebP and AVIF", "用于 JPEG、WebP 与 AVIF"),
        **_RESULT,
    ),
    Option(
        key="bit_depth",
        kind=Choice(values=(8, 16)),
        unset="the picture's own",
        label=Words("Bit depth", "位深"),
        help=Words("of PNG and TIFF results", "用于 PNG 与 TIFF"),
        **_RESULT,
    ),
    Option(
        key="provenance",
        kind=Switch(),
        default=True,
        label=Words("Say it was restored", "注明经过修复"),
        help=Words(
            "say in the result's XMP that a network has drawn in it (IPTC source type); --no-provenance leaves it out",
            "在结果的 XMP 中注明含有网络绘制的内容（IPTC 数字来源类型）；--no-provenance 不注明",
        ),
        **_RESULT,
    ),
    Option(
        key="max_pixels",
        kind=Number(low=1, whole=True, millions=True),
        unset="100M",
        label=Words("Most pixels", "像素上限"),
        help=Words("refuse larger pictures; 200M is 200 megapixels", "拒绝更大的图片，200M 即两亿像素"),
        **_RUN,
    ),
)
"""Every option, in the order in which it is listed."""

_BY_KEY = {row.key: row for row in OPTIONS}


def row_of(key: str) -> Option:
    """The row of a key.

    Raises:
        ConfigError: if there is none; the message lists them.
    """
    if key not in _BY_KEY:
        raise ConfigError(Notice("option.unknown", {"key": key, **known_and_meant(key, _BY_KEY)}))
    return _BY_KEY[key]
