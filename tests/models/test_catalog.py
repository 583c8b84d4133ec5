from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from likeness.errors import CheckpointError
from likeness.models.catalog import (
    CATALOG,
    DEFAULT_MODEL,
    CatalogEntry,
    embedded_path,
    entry_meant_by,
    published_as,
)
from likeness.models.formats import read_checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.models.registry import as_published
from likeness.models.spec import Spec
from likeness.models.store import Store

PUBLISHED = [entry for entry in CATALOG.values() if entry.name != DEFAULT_MODEL]


def test_the_table_holds_the_published_models_and_ours() -> None:
    specs = {entry.name: entry.config.spec for entry in PUBLISHED if entry.config is not None}
    restorers = {name: spec.size for name, spec in specs.items() if spec.purpose == "restore"}
    others = {f"GPEN-{task}-1024": 1024 for task in ("Colorization", "Inpainting")}
    sizes = (256, 512, 1024, 2048)
    published = (
        {f"GPEN-BFR-{size}": size for size in sizes} | others | {f"GPEN-BFR-{size}-onnx": size for size in sizes}
    )
    assert restorers == published | dict.fromkeys(("GFPGANv1.3", "GFPGANv1.4", "RestoreFormer", "codeformer"), 512)
    enlargers = {name: spec.scale for name, spec in specs.items() if spec.purpose == "enlarge"}
    assert enlargers == {"RealESRGAN_x4plus": 4, "RealESRGAN_x2plus": 2, "realesr-general-x4v3": 4}
    whole = ["ddcolor_modelscope", "ddcolor_paper_tiny", "big-lama"]
    assert list(CATALOG) == [DEFAULT_MODEL, *restorers, *whole, *enlargers]
    purposes = [entry.purpose for entry in CATALOG.values()]
    faces = ["restore"] * 5 + ["colourise", "inpaint"] + ["restore"] * 8
    assert purposes == [*faces, "colourise", "colourise", "inpaint", *["enlarge"] * 3]
    assert all(specs[name].for_faces == (name in restorers) for name in specs)
    assert all(name == entry.name for name, entry in CATALOG.items())


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.name)
def test_published_entries_can_be_fetched_and_say_whether_a_business_may_use_them(entry: CatalogEntry) -> None:
    free = entry.purpose == "enlarge" or entry.name.startswith(("RestoreFormer", "ddcolor", "big-lama"))
    assert entry.licence.must_accept != free
    assert ("business use is allowed" if free else "non-commercial") in entry.licence.summary
    assert entry.urls
    for url in (*entry.urls, entry.page, entry.licence.url):
        parts = urlsplit(url)
        assert parts.scheme == "https"
        assert parts.hostname
    assert entry.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
    assert embedded_path(entry) is None


def test_networks_of_one_structure_are_told_apart_by_their_names(tmp_path: Path) -> None:
    def told(name: str, spec: Spec) -> Spec | None:
        path = tmp_path / f"{name}.pth"
        path.write_bytes(b"no file of the catalog's")
        return published_as(path, spec)

    spec = as_published(GpenConfig(size=1024, channel_multiplier=2, narrow=1.0))
    assert told("GPEN-BFR-1024", spec) == spec
    assert told("gpen-colorization-1024", spec) == dataclasses.replace(spec, purpose="colourise")
    assert told("GPEN-Inpainting-1024", spec) == dataclasses.replace(spec, purpose="inpaint")
    assert told("mine", spec) is None
    smaller = as_published(GpenConfig(size=512))  # of that name, but not that network
    assert told("GPEN-Inpainting-1024", smaller) is None


def test_our_own_model_is_free_and_inside_the_package() -> None:
    entry = CATALOG[DEFAULT_MODEL]
    assert not entry.licence.must_accept
    assert entry.urls == ()
    path = embedded_path(entry)
    assert path is not None
    assert path.parts[-3:] == ("likeness", "weights", "likeness-512.safetensors")
    if not path.exists():
        pytest.skip("the weights are not in this checkout yet")
    checkpoint = read_checkpoint(path)
    assert checkpoint.kind == "likeness"
    assert checkpoint.spec.size == 512
    assert checkpoint.info is not None
    assert checkpoint.info.licence == entry.licence.name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("gfpgan-1.4", "GFPGANv1.4"),
        ("gfpgan_1.3", "GFPGANv1.3"),
        ("CodeFormer", "codeformer"),
        ("gpen_bfr_512", "GPEN-BFR-512"),
        ("restore-former", "RestoreFormer"),
        ("gpen-bfr-51", None),
        ("./GFPGANv1.4.pth", None),
    ],
)
def test_names_as_other_programs_write_them(written: str, meant: str | None, tmp_path: Path) -> None:
    entry = entry_meant_by(written)
    assert (entry and entry.name) == meant
    store = Store(tmp_path)
    unknown = "GFPGANv1.4.pth does not exist" if written.startswith("./") else "no model or file"
    with pytest.raises(CheckpointError, match=f"likeness models fetch {meant}" if meant else unknown):
        store.path(written)


def test_no_two_names_are_meant_by_one() -> None:
    for name in CATALOG:
        assert [one for one in CATALOG if entry_meant_by(one.lower().replace("-", "_")) is CATALOG[name]] == [name]


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOG["mine"] = CATALOG[DEFAULT_MODEL]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        CATALOG[DEFAULT_MODEL].sha256 = "0"  # type: ignore[misc]


def test_importing_the_checkpoints_is_cheap() -> None:
    heavy = "{'torch', 'httpx', 'openvino', 'safetensors', 'platformdirs', 'cv2'}"
    program = f"import sys, likeness.models.store; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
