from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from webserver import Served, Site

from likeness.errors import CheckpointError, CheckpointFormatError, ChecksumError, DownloadError, LicenceError
from likeness.models.catalog import CATALOG, CatalogEntry, Licence
from likeness.models.download import RetryPolicy
from likeness.models.formats import ModelInfo, read_checkpoint, write_checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.models.store import Store

State = dict[str, NDArray[np.float32]]
QUICK = RetryPolicy(attempts=2, first_delay=0.01, timeout=5)
LICENCE = Licence(name="no business", url="https://example.org/l", summary="Not for business.", must_accept=True)


def entry_for(site: Site, pth: Path, config: GpenConfig, **changes: object) -> CatalogEntry:
    """A catalog entry like the published ones, whose file lies on the test's server."""
    site.files.setdefault("/model", Served(body=pth.read_bytes()))
    values: dict[str, object] = {
        "name": "GPEN-test",
        "description": "a small network",
        "licence": LICENCE,
        "page": "https://example.org",
        "config": config,
        "url": site.url("/model"),
        **changes,
    }
    return CatalogEntry(**values)  # type: ignore[arg-type]


def store_with(tmp_path: Path, *entries: CatalogEntry, offline: bool = False) -> Store:
    catalog = {entry.name: entry for entry in entries}
    return Store(tmp_path / "store", offline=offline, catalog=catalog, policy=QUICK)


def test_fetch_then_load(site: Site, tmp_path: Path, pth: Path, state: State, config: GpenConfig) -> None:
    store = store_with(tmp_path, entry_for(site, pth, config))
    path = store.fetch("GPEN-test", accept_licence=True)
    assert path == tmp_path / "store" / "models" / "GPEN-test.pth"
    assert path.read_bytes() == pth.read_bytes()
    np.testing.assert_array_equal(store.load("gpen-TEST").state["ecd0.0.1.bias"], state["ecd0.0.1.bias"])
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["sha256"] == hashlib.sha256(pth.read_bytes()).hexdigest()
    assert record["source"] == site.url("/model")
    store.verify("GPEN-test")
    assert store.fetch("GPEN-test") == path  # here already: nothing is asked of the server
    assert len(site.wait_for(1)) == 1


def test_the_licence_comes_first(site: Site, tmp_path: Path, pth: Path, config: GpenConfig) -> None:
    store = store_with(tmp_path, entry_for(site, pth, config))
    with pytest.raises(LicenceError, match=r"Not for business\..*--accept-licence") as caught:
        store.fetch("GPEN-test")
    assert "https://example.org/l" in str(caught.value)
    assert site.seen == []
    assert not store.licence_accepted("GPEN-test")
    assert not (tmp_path / "store").exists()
    store.accept_licence("GPEN-test")
    assert store.licence_accepted("GPEN-test")
    store.fetch("GPEN-test")
    accepted = json.loads((tmp_path / "store" / "licences" / "GPEN-test.json").read_text())
    assert accepted["licence"] == "no business"
    assert accepted["accepted"].startswith("20")
    # A store that was copied to a colleague without the acceptance asks again.
    (tmp_path / "store" / "licences" / "GPEN-test.json").unlink()
    with pytest.raises(LicenceError):
        store.load("GPEN-test")


FETCH = """
import sys
from pathlib import Path
from likeness.models.catalog import CatalogEntry, Licence
from likeness.models.store import Store
from likeness.models.gpen.config import GpenConfig
entry = CatalogEntry(
    name="GPEN-test", description="", page="", url=sys.argv[2], config=GpenConfig(size=64, narrow=0.0625),
    licence=Licence(name="", url="", summary="", must_accept=False),
)
print("fetching", flush=True)
print(Store(Path(sys.argv[1]), catalog={entry.name: entry}).fetch("GPEN-test").name)
"""


def start_fetch(root: Path, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", FETCH, str(root), url], stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_kill_in_mid_download_then_go_on(site: Site, tmp_path: Path, pth: Path, config: GpenConfig) -> None:
    body = pth.read_bytes()
    entry = entry_for(site, pth, config)
    site.files["/model"].pause = 0.01  # about 6 MB/s
    store = store_with(tmp_path, entry)
    part = store.root / "models" / "GPEN-test.pth.part"
    process = start_fetch(store.root, site.url("/model"))
    try:
        deadline = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size > 2_000_000) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    finally:
        process.kill()
        process.communicate()
    kept = part.stat().st_size
    assert 2_000_000 < kept < len(body)
    assert store.list()[0].state == "available"  # half a file is not a model
    site.files["/model"].pause = 0
    path = store.fetch("GPEN-test", accept_licence=True)  # the dead process's lock is no obstacle
    assert path.read_bytes() == body
    resumed = [one for one in site.wait_for(2) if one.range is not None]
    assert [(one.range, one.status, one.sent) for one in resumed] == [(f"bytes={kept}-", 206, len(body) - kept)]
    assert not part.exists()


def test_two_processes_fetch_once(site: Site, tmp_path: Path, pth: Path, config: GpenConfig) -> None:
    entry_for(site, pth, config)
    site.files["/model"].pause = 0.005
    processes = [start_fetch(tmp_path / "store", site.url("/model")) for _ in range(2)]
    try:
        outputs = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert outputs == ["fetching\nGPEN-test.pth\n"] * 2
    assert len(site.seen) == 1
    assert (tmp_path / "store" / "models" / "GPEN-test.pth").read_bytes() == pth.read_bytes()


def test_known_checksums_are_held_to(site: Site, tmp_path: Path, pth: Path, config: GpenConfig) -> None:
    right = hashlib.sha256(pth.read_bytes()).hexdigest()
    store = store_with(
        tmp_path,
        entry_for(site, pth, config, sha256=right, size=pth.stat().st_size),
        entry_for(site, pth, config, name="forged", sha256="ab" * 32),
    )
    store.fetch("GPEN-test", accept_licence=True)
    with pytest.raises(ChecksumError, match="instead of abab"):
        store.fetch("forged", accept_licence=True)
    assert [model.state for model in store.list()] == ["fetched", "available"]


def test_without_a_checksum_the_first_fetch_counts(site: Site, tmp_path: Path, pth: Path, config: GpenConfig) -> None:
    store = store_with(tmp_path, entry_for(site, pth, config))
    path = store.fetch("GPEN-test", accept_licence=True)
    path.unlink()
    changed = bytearray(pth.read_bytes())
    changed[-1] ^= 1  # in the zip archive's closing record: still a readable checkpoint
    site.files["/model"] = Served(body=bytes(changed), etag='"two"')
    with pytest.raises(ChecksumError, match=r"is that of the first fetch; .* delete .*GPEN-test\.json"):
        store.fetch("GPEN-test")
    assert not path.exists()
    site.files["/model"] = Served(body=pth.read_bytes())
    assert store.fetch("GPEN-test") == path


def test_only_the_network_of_that_name_is_stored(site: Site, tmp_path: Path, pth: Path) -> None:
    entry = entry_for(site, pth, GpenConfig(size=512))
    store = store_with(tmp_path, entry)
    with pytest.raises(CheckpointFormatError, match=r"/model gave the wrong file: .* size 64.* not GPEN-test"):
        store.fetch("GPEN-test", accept_licence=True)
    site.files["/model"] = Served(body=b"<Error><Code>AccessDenied</Code></Error>", content_type="application/xml")
    with pytest.raises(CheckpointFormatError, match=r"neither a PyTorch \.pth file nor safetensors"):
        store.fetch("GPEN-test")
    assert store.list()[0].state == "available"


def test_a_mirror_serves_what_the_first_address_lost(site: Site, tmp_path: Path, pth: Path, config: GpenConfig) -> None:
    entry = entry_for(site, pth, config, url=site.url("/gone"), mirrors=(site.url("/model"),))
    store = store_with(tmp_path, entry)
    assert store.fetch("GPEN-test", accept_licence=True).read_bytes() == pth.read_bytes()
    assert [(one.path, one.status) for one in site.wait_for(2)] == [("/gone", 404), ("/model", 200)]


def test_offline(site: Site, tmp_path: Path, pth: Path, config: GpenConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = entry_for(site, pth, config)
    with pytest.raises(DownloadError, match=r"offline.*likeness models import FILE --name GPEN-test"):
        store_with(tmp_path, entry, offline=True).fetch("GPEN-test", accept_licence=True)
    assert site.seen == []
    path = store_with(tmp_path, entry).fetch("GPEN-test")
    assert store_with(tmp_path, entry, offline=True).fetch("GPEN-test") == path
    for value, expected in (("1", True), ("true", True), ("0", False), ("", False)):
        monkeypatch.setenv("LIKENESS_OFFLINE", value)
        assert Store(tmp_path).offline is expected
    assert Store(tmp_path, offline=True).offline


def test_where_the_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Store().root.name.casefold() in ("likeness", "cache")
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "mein Ordner"))
    store = Store()
    assert store.root == tmp_path / "mein Ordner"
    assert [model.name for model in store.list()] == list(CATALOG)
    assert not store.root.exists()  # looking makes nothing


def test_import_load_and_list(tmp_path: Path, pth: Path, state: State, config: GpenConfig) -> None:
    store = store_with(tmp_path)
    path = store.import_(pth, "studio-2024.v2", task="restore")
    assert path.name == "studio-2024.v2.safetensors"
    checkpoint = store.load("studio-2024.v2")
    assert checkpoint.kind == "likeness"
    assert checkpoint.spec.config == config
    for name, array in state.items():
        np.testing.assert_array_equal(checkpoint.state[name], array)
    (model,) = store.list()
    assert (model.name, model.state, model.path, model.accepted) == ("studio-2024.v2", "imported", path, True)
    assert model.size == path.stat().st_size
    store.verify("studio-2024.v2")
    with pytest.raises(CheckpointError, match=r"already has a model studio-2024\.v2"):
        store.import_(pth, "studio-2024.v2", task="restore")
    fetched = (
        tmp_path / "store" / "models" / "studio-2024.v2.pt",
        tmp_path / "store" / "models" / "studio-2024.v2.pth",
    )
    for one in fetched:
        one.touch()
    store.import_(pth, "studio-2024.v2", replace=True, task="restore")
    assert not any(one.exists() for one in fetched)
    assert store.import_(pth, task="restore").stem == "small"  # the file's own name


def test_an_import_keeps_what_a_file_says_about_itself(tmp_path: Path, state: State, config: GpenConfig) -> None:
    info = ModelInfo(name="ours", version="3", licence="CC-BY-4.0", description="trained here")
    write_checkpoint(tmp_path / "a.safetensors", state, config.spec, info)
    store = store_with(tmp_path)
    assert read_checkpoint(store.import_(tmp_path / "a.safetensors", "b")).info == info
    (model,) = store.list()
    assert (model.licence, model.description) == ("CC-BY-4.0", "trained here")


def test_import_under_a_name_of_the_catalog(site: Site, tmp_path: Path, pth: Path, config: GpenConfig) -> None:
    """The way for those whose machine has no network: bring the published file."""
    colours = entry_for(site, pth, config, trained_for="colourise")  # nothing in the file says so
    store = store_with(tmp_path, colours, entry_for(site, pth, GpenConfig(size=512), name="other"))
    with pytest.raises(LicenceError):
        store.import_(pth, "gpen-test")
    with pytest.raises(CheckpointFormatError, match=r"size 64.* not other"):
        store.import_(pth, "other", accept_licence=True)
    path = store.import_(pth, "gpen-test", accept_licence=True)
    assert path.name == "GPEN-test.safetensors"
    assert (store.load("gpen-test").spec.purpose, store.list()[0].purpose) == ("colourise", "colourise")
    assert store.path("GPEN-test") == path
    assert store.fetch("GPEN-test") == path
    info = store.load("GPEN-test").info
    assert info is not None
    assert info.licence == "no business"
    assert site.seen == []


def test_a_published_file_is_known_by_its_bytes_whatever_its_name(
    site: Site, tmp_path: Path, pth: Path, config: GpenConfig
) -> None:
    """Somebody else's download, used where it lies or taken in under a name of one's own: its licence comes first too."""
    own = tmp_path / "found-somewhere.pth"
    own.write_bytes(pth.read_bytes())
    entry = entry_for(site, pth, config, sha256=hashlib.sha256(own.read_bytes()).hexdigest())
    store = store_with(tmp_path, entry)
    for use in (store.path, store.load):
        with pytest.raises(LicenceError, match="GPEN-test has its own licence"):
            use(own)
    with pytest.raises(LicenceError):
        store.import_(own, "mine", task="restore")
    mine = store.import_(own, "mine", task="restore", accept_licence=True)
    info = read_checkpoint(mine).info
    assert info is not None
    assert info.licence == "no business"
    assert store.path(own) == own
    assert store.accepted == ("GPEN-test",)
    there = tmp_path / "there"  # another machine, where nobody is asked again
    with pytest.raises(LicenceError):
        Store(there, catalog={entry.name: entry}).path(own)
    assert Store(there, catalog={entry.name: entry}, accepted=store.accepted).path(own) == own
    assert not there.exists()
    (tmp_path / "other.pth").write_bytes(pth.read_bytes() + b"\0")
    assert Store(there, catalog={entry.name: entry}).path(tmp_path / "other.pth") == tmp_path / "other.pth"


@pytest.mark.parametrize(
    "name", ["GPEN-test.pth", "gpen-TEST.pt", "cv_gpen_image-portrait-enhancement/pytorch_model.pt"]
)
def test_one_without_a_published_checksum_is_known_by_its_name_or_place(
    site: Site, tmp_path: Path, pth: Path, config: GpenConfig, name: str
) -> None:
    scope = entry_for(site, pth, config, name="GPEN-BFR-512", sha256="ab" * 32)
    store = store_with(tmp_path, entry_for(site, pth, config), scope)
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(pth.read_bytes())
    entry = "GPEN-BFR-512" if "/" in name else "GPEN-test"
    with pytest.raises(LicenceError, match=f"{entry} has its own licence"):
        store.path(file)
    with pytest.raises(LicenceError):
        store.import_(file, "mine", task="restore")
    store.accept_licence(entry)
    assert store.path(file) == file


def test_bad_imports_leave_nothing(site: Site, tmp_path: Path, pth: Path, config: GpenConfig) -> None:
    store = store_with(tmp_path, entry_for(site, pth, config, sha256="ab" * 32), CATALOG["likeness-512"])
    with pytest.raises(CheckpointError, match=r"'\.\./evil' cannot name a model"):
        store.import_(pth, "../evil")
    with pytest.raises(CheckpointError, match="likeness-512 is the model inside the package"):
        store.import_(pth, "likeness-512")
    with pytest.raises(ChecksumError, match="is not the published GPEN-test; import it under another name"):
        store.import_(pth, "GPEN-test", accept_licence=True)
    (tmp_path / "holiday.pth").write_text("no weights")
    with pytest.raises(CheckpointFormatError, match=r"holiday\.pth is not a checkpoint"):
        store.import_(tmp_path / "holiday.pth")
    with pytest.raises(CheckpointError, match=r"none\.pth does not exist"):
        store.import_(tmp_path / "none.pth")
    assert not (tmp_path / "store").exists()


def test_names_files_and_what_is_neither(
    site: Site, tmp_path: Path, pth: Path, config: GpenConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_with(tmp_path, entry_for(site, pth, config))
    assert store.path(pth) == pth
    assert store.load(str(pth), task="restore").spec.config == config
    monkeypatch.chdir(pth.parent)
    assert store.load("small.pth", task="restore").spec.config == config
    with pytest.raises(
        CheckpointError, match=r"GPEN-test is not on this machine yet; fetch it with `likeness models f"
    ):
        store.load("GPEN-test")
    with pytest.raises(CheckpointError, match=r"There is no model or file codeformer; known models are GPEN-test\."):
        store.load("codeformer")
    with pytest.raises(CheckpointError, match=r"weights/none\.pth does not exist; check the name") as missing:
        store.path(tmp_path / "weights" / "none.pth")
    assert "known models" not in str(missing.value)
    with pytest.raises(CheckpointError, match=r"There is no model codeformer to fetch; known are GPEN-test\."):
        store.fetch("codeformer")


def test_a_model_without_address_says_where_to_get_it(
    site: Site, tmp_path: Path, pth: Path, config: GpenConfig
) -> None:
    store = store_with(tmp_path, entry_for(site, pth, config, url=None))
    with pytest.raises(DownloadError, match=r"get it at https://example\.org and run `likeness models import FILE"):
        store.fetch("GPEN-test", accept_licence=True)


def test_a_changed_file_is_found(tmp_path: Path, pth: Path) -> None:
    store = store_with(tmp_path)
    path = store.import_(pth, "mine", task="restore")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ChecksumError, match="has changed since it was stored"):
        store.verify("mine")


def test_the_embedded_model(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.list()[0]
    assert (first.name, first.state, first.accepted) == ("likeness-512", "embedded", True)
    if first.path is None:
        with pytest.raises(CheckpointError, match="likeness-512 is missing from this installation"):
            store.path("likeness-512")
    else:
        assert store.path("likeness-512") == store.fetch("likeness-512") == first.path


def test_a_store_that_cannot_be_written(tmp_path: Path, pth: Path) -> None:
    (tmp_path / "store").write_text("a file in the way")
    with pytest.raises(CheckpointError, match=r"The store .* cannot be written .*; set LIKENESS_HOME"):
        store_with(tmp_path).import_(pth, "mine", task="restore")
