"""The checkpoints Likeness knows by name: an explicit table.

The published GPEN weights, CodeFormer's and parts of GFPGAN's are for non-commercial use; the weights inside the package,
RestoreFormer's, Real-ESRGAN's, DDColor's and LaMa's are not bound so. Addresses are those that the authors publish
(https://github.com/yangxy/GPEN, its README and weights/README.md, and the ModelScope page it links for 1024 and 2048; the
releases of xinntao/Real-ESRGAN, TencentARC/GFPGAN and sczhou/CodeFormer on GitHub; DDColor's page on Hugging Face). LaMa's
authors publish the archive of a training program: the address is that of the TorchScript file which inpainting programs
fetch. Mirrors are well-known copies. GPEN's and DDColor's authors publish no checksums. A SHA-256 here is the one under
which independent copies agree; where it is None, the store records what the first fetch brought and refuses anything else
later (trust on first use), and every fetched file must be a network of the configuration given here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from likeness.core.hashing import known_sha256_of
from likeness.models.architecture import Config
from likeness.models.esrgan.config import EsrganConfig
from likeness.models.gfpgan.config import GfpganConfig
from likeness.models.gpen.config import GpenConfig
from likeness.models.onnx_file import OnnxConfig
from likeness.models.registry import architecture_of, as_published
from likeness.models.spandrel_adapter import CodeFormerConfig, RestoreFormerConfig
from likeness.models.spandrel_pictures import DdcolorConfig, LamaConfig
from likeness.models.spec import Purpose, Spec
from likeness.models.srvgg.config import SrvggConfig

__all__ = [
    "CATALOG",
    "DEFAULT_MODEL",
    "CatalogEntry",
    "Licence",
    "embedded_path",
    "entry_meant_by",
    "entry_of",
    "entry_of_bytes",
    "entry_of_file",
    "published_as",
    "purpose_in_name",
]

DEFAULT_MODEL = "likeness-512"
"""The model inside the package, which runs when no other is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """Under which terms weights may be used.

    Attributes:
        name: short name.
        url: where it is stated.
        summary: one sentence for the user to read before accepting.
        must_accept: whether the user has to accept it before the first use.
    """

    name: str
    url: str
    summary: str
    must_accept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """A checkpoint known by name.

    Attributes:
        name: the name, also of its file in the store.
        description: one line for `likeness models list`.
        licence: terms of the weights.
        page: where people read about it and can fetch it by hand.
        config: the network's numbers; None where the file inside the package decides.
        trained_for: what the network does, where others of its very structure do something else and only the name tells.
        url: where it is fetched, or None if only by hand or if it is inside the package.
        mirrors: other addresses of the same bytes, tried in this order.
        sha256: lower-case hexadecimal, where really known.
        size: bytes of the file, where known.
        resource: path inside the package, for weights that come with it.
        suffix: of the file.
    """

    name: str
    description: str
    licence: Licence
    page: str
    config: Config | None = None
    trained_for: Purpose | None = None
    url: str | None = None
    mirrors: tuple[str, ...] = ()
    sha256: str | None = None
    size: int | None = None
    resource: str | None = None
    suffix: str = ".pth"

    @property
    def purpose(self) -> Purpose:
        """What the network does; the one inside the package restores."""
        return "restore" if self.spec is None else self.spec.purpose

    @property
    def spec(self) -> Spec | None:
        """The network; None where the file inside the package decides."""
        spec = None if self.config is None else as_published(self.config)
        return spec if spec is None or self.trained_for is None else replace(spec, purpose=self.trained_for)

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address, in the order in which they are tried."""
        return (*(() if self.url is None else (self.url,)), *self.mirrors)

    @property
    def file_name(self) -> str:
        """Name of the file in the store."""
        return f"{self.name}{self.suffix}"


_OWN = Licence(
    name="MIT",
    url="https://spdx.org/licenses/MIT.html",
    summary="Comes with Likeness; business use is allowed. The model card names the pictures it was trained on.",
    must_accept=False,
)

_GPEN = Licence(
    name="GPEN, academic and non-commercial use only",
    # The README as it was, by the number of its content: no commit can change what is there.
    url="https://api.github.com/repos/yangxy/GPEN/git/blobs/b611a9f2d05fdc5b82715219ed0f252e42e4d8be",
    summary="© Alibaba, 2021: for academic and non-commercial use only, as GPEN's README said until its commit 2c736702 of "
    "2026-03-10 took the section away and put nothing in its place; nothing allows business use.",
    must_accept=True,
)

_REAL_ESRGAN = Licence(
    name="BSD-3-Clause",
    url="https://github.com/xinntao/Real-ESRGAN/blob/master/LICENSE",
    summary="© Xintao Wang, 2021: business use is allowed.",
    must_accept=False,
)

_GFPGAN = Licence(
    name="Apache-2.0 with non-commercial parts",
    url="https://github.com/TencentARC/GFPGAN/blob/master/LICENSE",
    summary="© Tencent, 2021: Apache-2.0, but its licence lists parts of others that are for non-commercial use only; a "
    "business should ask its lawyer first.",
    must_accept=True,
)

_RESTOREFORMER = Licence(
    name="Apache-2.0",
    url="https://github.com/wzhouxiff/RestoreFormer/blob/main/LICENSE",
    summary="© the RestoreFormer authors, 2022: business use is allowed.",
    must_accept=False,
)

_CODEFORMER = Licence(
    name="S-Lab 1.0, non-commercial use only",
    url="https://github.com/sczhou/CodeFormer/blob/master/LICENSE",
    summary="© S-Lab, 2022: for non-commercial use only; a business must ask the authors. So is the code that runs it.",
    must_accept=True,
)

_DDCOLOR = Licence(
    name="Apache-2.0",
    url="https://github.com/piddnad/DDColor/blob/master/LICENSE",
    summary="© the DDColor authors, 2023: business use is allowed; the library that runs it (spandrel-extra-arches) holds "
    "networks under other licences beside it.",
    must_accept=False,
)

_LAMA = Licence(
    name="Apache-2.0",
    url="https://github.com/advimman/lama/blob/main/LICENSE",
    summary="© Samsung Research, 2021: business use is allowed.",
    must_accept=False,
)

_BUCKET = "https://public-vigen-video.oss-cn-shanghai.aliyuncs.com/robin/models"
_RELEASES = "https://github.com/xinntao/Real-ESRGAN/releases"
_GFPGAN_RELEASES = "https://github.com/TencentARC/GFPGAN/releases"
_CODEFORMER_RELEASES = "https://github.com/sczhou/CodeFormer/releases"
_ONNX = "https://huggingface.co/datasets/Gourieff/ReActor"
_DDCOLOR_MODELS = "https://huggingface.co/piddnad/DDColor-models"
_LAMA_RELEASES = "https://github.com/Sanster/models/releases"
_HIRES_PAGE = "https://www.modelscope.cn/models/iic/cv_gpen_image-portrait-enhancement-hires"

CATALOG: Mapping[str, CatalogEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            CatalogEntry(
                name=DEFAULT_MODEL,
                description="Likeness's own weights at 512, inside the package",
                licence=_OWN,
                page="the model card beside the weights",
                resource="weights/likeness-512.safetensors",
            ),
            CatalogEntry(
                name="GPEN-BFR-256",
                description="GPEN's published weights at 256, small and quick",
                licence=_GPEN,
                page="https://github.com/yangxy/GPEN",
                config=GpenConfig(size=256, channel_multiplier=1, narrow=0.5),
                url=f"{_BUCKET}/GPEN-BFR-256.pth",
            ),
            CatalogEntry(
                name="GPEN-BFR-512",
                description="GPEN's published weights at 512, the usual ones",
                licence=_GPEN,
                page="https://github.com/yangxy/GPEN",
                config=GpenConfig(size=512, channel_multiplier=2, narrow=1.0),
                url=f"{_BUCKET}/GPEN-BFR-512.pth",
                mirrors=(
                    "https://huggingface.co/akhaliq/GPEN-BFR-512/resolve/main/GPEN-BFR-512.pth",
                    "https://github.com/vinthony/video-retalking/releases/download/v0.0.1/GPEN-BFR-512.pth",
                ),
                sha256="f1002c41add95b0decad69604d80455576f7187dd99ca16bd611bcfd44c10b51",
                size=284_085_738,
            ),
            CatalogEntry(
                name="GPEN-BFR-1024",
                description="GPEN's published weights at 1024, for large portraits",
                licence=_GPEN,
                page=_HIRES_PAGE,
                config=GpenConfig(size=1024, channel_multiplier=2, narrow=1.0),
                url=f"{_HIRES_PAGE}/resolve/master/pytorch_model.pt",
            ),
            CatalogEntry(
                name="GPEN-BFR-2048",
                description="GPEN's published weights at 2048, for selfies and very large portraits",
                licence=_GPEN,
                page=_HIRES_PAGE,
                config=GpenConfig(size=2048, channel_multiplier=2, narrow=1.0),
                url=f"{_HIRES_PAGE}/resolve/master/pytorch_model-2048.pt",
            ),
            CatalogEntry(
                name="GPEN-Colorization-1024",
                description="GPEN's published weights that draw the colours of black-and-white portraits",
                licence=_GPEN,
                page="https://github.com/yangxy/GPEN",
                config=GpenConfig(size=1024, channel_multiplier=2, narrow=1.0),
                trained_for="colourise",
                url=f"{_BUCKET}/GPEN-Colorization-1024.pth",
            ),
            CatalogEntry(
                name="GPEN-Inpainting-1024",
                description="GPEN's published weights that fill holes in portraits",
                licence=_GPEN,
                page="https://github.com/yangxy/GPEN",
                config=GpenConfig(size=1024, channel_multiplier=2, narrow=1.0),
                trained_for="inpaint",
                url=f"{_BUCKET}/GPEN-Inpainting-1024.pth",
            ),
            *(
                CatalogEntry(
                    name=f"GPEN-BFR-{size}-onnx",
                    description=f"GPEN's published weights at {size} as the ONNX file that is passed on",
                    licence=_GPEN,
                    page=_ONNX,
                    config=OnnxConfig(size=size, gpen=True),
                    url=f"{_ONNX}/resolve/main/models/facerestore_models/GPEN-BFR-{size}.onnx",
                    sha256=sha256,
                    size=length,
                    suffix=".onnx",
                )
                for size, sha256, length in (
                    (256, "aa5bd3ab238640a378c59e4a560f7a7150627944cf2129e6311ae4720e833271", 75_715_262),
                    (512, "bf80acb8e91ba8852e3f012505be2c3b6cd6b3eed5ec605e3db87863c4e74d4e", 284_244_491),
                    (1024, "cec8892093d7b99828acde97bf231fb0964d3fb11b43f3b0951e36ef1e192a3e", None),
                    (2048, "d0229ff43f979c360bd19daa9cd0ce893722d59f41a41822b9223ebbe4f89b3e", None),
                )
            ),
            CatalogEntry(
                name="GFPGANv1.4",
                description="GFPGAN's published weights, softer than its version 1.3",
                licence=_GFPGAN,
                page=_GFPGAN_RELEASES,
                config=GfpganConfig(),
                url=f"{_GFPGAN_RELEASES}/download/v1.3.0/GFPGANv1.4.pth",
                sha256="e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad",
                size=348_632_874,
            ),
            CatalogEntry(
                name="GFPGANv1.3",
                description="GFPGAN's published weights of version 1.3",
                licence=_GFPGAN,
                page=_GFPGAN_RELEASES,
                config=GfpganConfig(),
                url=f"{_GFPGAN_RELEASES}/download/v1.3.0/GFPGANv1.3.pth",
                sha256="c953a88f2727c85c3d9ae72e2bd4846bbaf59fe6972ad94130e23e7017524a70",
                size=348_632_874,
            ),
            CatalogEntry(
                name="RestoreFormer",
                description="RestoreFormer's published weights (extra restorers)",
                licence=_RESTOREFORMER,
                page=_GFPGAN_RELEASES,
                config=RestoreFormerConfig(),
                url=f"{_GFPGAN_RELEASES}/download/v1.3.4/RestoreFormer.pth",
                sha256="07404d446d62ca3d5ed38b1de09a947a1e77d46dbccec961a74d713a8f24ace0",
                size=290_785_322,
            ),
            CatalogEntry(
                name="codeformer",
                description="CodeFormer's published weights (extra restorers)",
                licence=_CODEFORMER,
                page=_CODEFORMER_RELEASES,
                config=CodeFormerConfig(),
                url=f"{_CODEFORMER_RELEASES}/download/v0.1.0/codeformer.pth",
                sha256="1009e537e0c2a07d4cabce6355f53cb66767cd4b4297ec7a4a64ca4b8a5684b7",
                size=376_637_898,
            ),
            CatalogEntry(
                name="ddcolor_modelscope",
                description="DDColor's published weights, its authors' choice: colours whole pictures (extra restorers)",
                licence=_DDCOLOR,
                page=_DDCOLOR_MODELS,
                config=DdcolorConfig(),
                url=f"{_DDCOLOR_MODELS}/resolve/main/ddcolor_modelscope.pth",
                size=911_950_059,
            ),
            CatalogEntry(
                name="ddcolor_paper_tiny",
                description="DDColor's small network: colours whole pictures, quicker (extra restorers)",
                licence=_DDCOLOR,
                page=_DDCOLOR_MODELS,
                config=DdcolorConfig(width=96, depth=9),
                url=f"{_DDCOLOR_MODELS}/resolve/main/ddcolor_paper_tiny.pth",
            ),
            CatalogEntry(
                name="big-lama",
                description="LaMa's published weights: fills holes of whole pictures (extra restorers)",
                licence=_LAMA,
                page=_LAMA_RELEASES,
                config=LamaConfig(),
                url=f"{_LAMA_RELEASES}/download/add_big_lama/big-lama.pt",
                sha256="344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9",
                size=205_669_692,
                suffix=".pt",
            ),
            CatalogEntry(
                name="RealESRGAN_x4plus",
                description="Real-ESRGAN's published weights, enlarges 4 times",
                licence=_REAL_ESRGAN,
                page=_RELEASES,
                config=EsrganConfig(scale=4),
                url=f"{_RELEASES}/download/v0.1.0/RealESRGAN_x4plus.pth",
                sha256="4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
                size=67_040_989,
            ),
            CatalogEntry(
                name="RealESRGAN_x2plus",
                description="Real-ESRGAN's published weights, enlarges 2 times",
                licence=_REAL_ESRGAN,
                page=_RELEASES,
                config=EsrganConfig(scale=2),
                url=f"{_RELEASES}/download/v0.2.1/RealESRGAN_x2plus.pth",
                sha256="49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
                size=67_061_725,
            ),
            CatalogEntry(
                name="realesr-general-x4v3",
                description="Real-ESRGAN's compact network, enlarges 4 times, small and quick",
                licence=_REAL_ESRGAN,
                page=_RELEASES,
                config=SrvggConfig(features=64, convolutions=32, scale=4),
                url=f"{_RELEASES}/download/v0.2.5.0/realesr-general-x4v3.pth",
                sha256="8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
                size=4_885_111,
            ),
        )
    }
)
"""Every known checkpoint by its name."""


def embedded_path(entry: CatalogEntry) -> Path | None:
    """Where weights that come with the package lie, or None for others. A damaged install may lack it."""
    if entry.resource is None:
        return None
    return Path(str(resources.files("likeness").joinpath(entry.resource)))


def entry_of(name: str, catalog: Mapping[str, CatalogEntry] = CATALOG) -> CatalogEntry | None:
    """The entry of a name, whatever its case; None if there is none."""
    folded = name.casefold()
    return next((entry for key, entry in catalog.items() if key.casefold() == folded), None)


def entry_meant_by(name: str, catalog: Mapping[str, CatalogEntry] = CATALOG) -> CatalogEntry | None:
    """The entry of a name that may be written in other programs' ways, such as gfpgan-1.4; None if there is none.

    Case, dashes, dots and underscores do not count, nor does the v before a number.
    """
    exact = entry_of(name, catalog)
    if exact is not None:
        return exact
    plain = _plain(name)
    return next((entry for key, entry in catalog.items() if _plain(key) == plain), None)


def _plain(name: str) -> str:
    return re.sub(r"v(?=\d)|[-._ ]", "", name.casefold())


def entry_of_bytes(path: Path, catalog: Mapping[str, CatalogEntry] = CATALOG) -> CatalogEntry | None:
    """The entry whose file this is, whatever its name: by size where that is known, and by SHA-256; None if there is none.

    Raises:
        OSError: if it cannot be read.
    """
    size = path.stat().st_size
    likely = {entry.sha256: entry for entry in catalog.values() if entry.sha256 and entry.size in (None, size)}
    return likely.get(known_sha256_of(path)) if likely else None


def entry_of_file(path: Path, catalog: Mapping[str, CatalogEntry] = CATALOG) -> CatalogEntry | None:
    """The entry whose file this is, by its bytes, by where ModelScope keeps it, or by its name; None if there is none.

    A name tells where the authors publish no checksum: under any other, bytes that are not theirs are not their file.

    Raises:
        OSError: if it cannot be read.
    """
    if (known := entry_of_bytes(path, catalog)) is not None:
        return known
    if path.parent.name.startswith(_RESTORERS_FOLDER):
        hires = path.parent.name != _RESTORERS_FOLDER
        size = 512 if not hires else 2048 if "2048" in path.name else 1024
        return entry_of(f"GPEN-BFR-{size}", catalog)
    named = entry_of(path.stem, catalog)
    return named if named is not None and named.sha256 is None and named.resource is None else None


def published_as(path: Path, spec: Spec) -> Spec | None:
    """A network whose file does not say what it does: what the entry of the file's name, or of its very bytes, says.

    Only where the tensors may be another task's (`Architecture.shared_by`) is the whole file read for that.

    Returns:
        None if there is no such entry, or only one of another structure.

    Raises:
        OSError: if it cannot be read.
    """
    entry = entry_of(path.stem)
    if entry is None and architecture_of(spec).shared_by and purpose_in_name(path) is None:
        entry = entry_of_bytes(path)
    if entry is None or entry.spec is None or replace(entry.spec, purpose=spec.purpose) != spec:
        return None
    return entry.spec


_TELLING: tuple[tuple[str, Purpose], ...] = (
    ("coloriz", "colourise"),
    ("coloris", "colourise"),
    ("colouris", "colourise"),
    ("inpaint", "inpaint"),
    ("gpen-bfr", "restore"),
    ("gpen_bfr", "restore"),
    ("gfpgan", "restore"),
    ("codeformer", "restore"),
    ("restoreformer", "restore"),
)
"""Parts of names under which weights of a task are passed on."""

_RESTORERS_FOLDER = "cv_gpen_image-portrait-enhancement"
"""Where ModelScope keeps GPEN's restorers, as ``pytorch_model.pt``; ``-hires`` has the large ones."""


def purpose_in_name(path: Path) -> Purpose | None:
    """What the name of a file with weights tells of their task; None if nothing, or more than one thing."""
    name = path.name.casefold()
    told: set[Purpose] = {purpose for part, purpose in _TELLING if part in name}
    if not told and path.parent.name.startswith(_RESTORERS_FOLDER):
        return "restore"
    return told.pop() if len(told) == 1 else None
