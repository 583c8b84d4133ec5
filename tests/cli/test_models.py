from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from likeness.cli import main
from likeness.models.catalog import CATALOG, CatalogEntry, Licence
from likeness.models.formats import read_checkpoint, read_spec
from likeness.models.gpen.config import GpenConfig
from likeness.models.spec import Spec
from likeness.models.store import Store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the test's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LIKENESS_HOME", str(folder))
    monkeypatch.delenv("LIKENESS_OFFLINE", raising=False)
    return folder


def rows(text: str) -> dict[str, str]:
    lines = text.splitlines()[2:]
    return {line.split()[0]: line for line in lines}


def test_list_shows_every_model_of_the_catalog_and_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    table = rows(out)
    assert list(table) == list(CATALOG)
    assert "embedded" in table["likeness-512"]
    assert "not fetched" in table["GPEN-BFR-512"]
    assert "284 MB" in table["GPEN-BFR-512"]
    assert "non-commercial" in table["GPEN-BFR-512"]
    assert "restore" in table["GPEN-BFR-512"].split()
    assert table["RealESRGAN_x4plus"].split()[1:4] == ["enlarge", "67", "MB"]
    assert max(map(len, out.splitlines())) <= 100


def test_import_takes_a_checkpoint_into_the_store_and_path_finds_it(
    tiny_model: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "import", str(tiny_model), "--name", "studio"]) == 0
    assert "studio" in capsys.readouterr().err

    assert main(["models", "path", "studio"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.is_relative_to(home)
    assert read_spec(path).config == read_spec(tiny_model).config

    assert main(["models", "list", "-v"]) == 0
    captured = capsys.readouterr()
    assert "imported" in rows(captured.out)["studio"]
    assert str(home) in captured.err


def test_import_replaces_only_on_request(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "import", str(tiny_model)]) == 0
    assert main(["models", "import", str(tiny_model)]) == 1
    assert "already has a model tiny" in capsys.readouterr().err
    assert main(["models", "import", str(tiny_model), "--replace"]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["path", "nobody"], 1, "no model or file nobody"),
        (["path", "GPEN-BFR-512"], 1, "not on this machine yet"),
        (["fetch", "nobody"], 1, "no model nobody to fetch"),
        (
            ["fetch", "GPEN-BFR-512"],
            1,
            "the licence of GPEN-BFR-512 was not accepted; read it, then use likeness models",
        ),
        (["import", "lost.pth"], 1, "lost.pth does not exist"),
        (["import"], 2, "missing: FILE; see likeness models import --help"),
        (["remove"], 2, '"remove" is not one of list, '),
        ([], 2, "missing: ACTION; see likeness models --help"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str], status: int, sentence: str, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert main(["models", *arguments]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith("error: ")
    assert sentence in captured.err
    assert not (home / "models").exists()


@pytest.mark.parametrize("name", ["GPEN-BFR-256", "gpen_bfr_256"])
def test_a_licence_is_shown_before_it_is_accepted_and_offline_nothing_is_fetched(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    monkeypatch.setenv("LIKENESS_OFFLINE", "1")
    assert main(["models", "fetch", name, "--accept-licence", "-q"]) == 1
    err = capsys.readouterr().err
    assert CATALOG["GPEN-BFR-256"].licence.summary in err
    assert CATALOG["GPEN-BFR-256"].licence.url in err
    assert "offline" in err
    assert (home / "licences" / "GPEN-BFR-256.json").is_file()


def gpen_config(spec: Spec) -> GpenConfig:
    assert isinstance(spec.config, GpenConfig)
    return spec.config


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def published(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A model with a licence of its own on a local server, known to the catalog; its name."""
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copy(tiny_model, folder / "weights.pth")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    licence = Licence(name="Own terms", url="the model's page", summary="For study only.", must_accept=True)
    entry = CatalogEntry(
        name="study-128",
        description="a test's network",
        licence=licence,
        page="the model's page",
        config=gpen_config(read_spec(tiny_model)),
        url=f"http://127.0.0.1:{server.server_port}/weights.pth",
    )
    catalog = {entry.name: entry}
    monkeypatch.setattr("likeness.models.catalog.CATALOG", catalog)
    monkeypatch.setattr("likeness.models.store.Store", functools.partial(Store, catalog=catalog))
    yield entry.name
    server.shutdown()
    thread.join()
    server.server_close()


def test_fetch_brings_the_model_once_the_licence_is_accepted(
    published: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "fetch", published]) == 1
    assert "For study only." in capsys.readouterr().err

    assert main(["models", "fetch", published, "--accept-licence"]) == 0
    capsys.readouterr()
    assert main(["models", "path", published]) == 0
    fetched = Path(capsys.readouterr().out.strip())
    assert fetched.read_bytes() == tiny_model.read_bytes()

    # Accepted for good: nobody is asked again.
    fetched.unlink()
    assert main(["models", "fetch", published]) == 0
    assert gpen_config(read_checkpoint(fetched).spec).size == 128


def test_clean_deletes_the_compiled_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "compiled"
    folder.mkdir()
    (folder / "face-far-0.compiled").write_bytes(bytes(3_000_000))
    (folder / "mine.txt").write_text("stays")
    monkeypatch.setenv("LIKENESS_CACHE", str(folder))
    assert main(["models", "clean"]) == 0
    assert f"1 compiled networks deleted in {folder} (3 MB)" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
