from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from likeness.batch.journal import Journal
from likeness.batch.lists import read_list
from likeness.batch.runner import Plan, make_tasks
from likeness.batch.sources import find_sources
from likeness.batch.storage import Storage, read_file
from likeness.errors import ConfigError
from likeness.imaging.names import same_on_disk
from likeness.restore.config import Settings


def written(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def names(*inputs: str, without: str = "") -> list[str]:
    return [source.name for source in find_sources(inputs, without=without)]


def test_a_folder_with_its_subfolders(tmp_path: Path) -> None:
    written(tmp_path, "b.jpg", "sub/a.HEIC", "sub/notes.txt", ".trash/x.jpg", "out/final/b.jpg", "._b.jpg")
    assert names(str(tmp_path), without=str(tmp_path / "out")) == ["b.jpg", "sub/a.HEIC"]
    assert names(f"file://{tmp_path}/sub") == ["a.HEIC"]


def test_patterns_keep_the_folders_below_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "in/b.jpg", "in/sub/a.jpg", "in/sub/c.png", "in/[1].jpg")
    assert names(f"{tmp_path}/in/**/*.jpg") == ["[1].jpg", "b.jpg", "sub/a.jpg"]
    monkeypatch.chdir(tmp_path / "in")
    assert names("s*/*.png") == ["sub/c.png"]
    assert names("[1].jpg") == ["[1].jpg"], "a file of that name is no pattern"


def test_what_holds_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no picture"):
        find_sources([str(tmp_path)])
    with pytest.raises(ConfigError, match="holds no picture"):
        find_sources([f"{tmp_path}/*.jpg"])
    with pytest.raises(ConfigError, match="does not exist"):
        find_sources([f"{tmp_path}/gone.jpg"])
    assert find_sources([str(tmp_path), f"{tmp_path}/*.jpg", f"{tmp_path}/later"], allow_none=True) == ()


def test_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "a/x.jpg", "b/X.jpg")
    with pytest.raises(ConfigError, match="same name"):
        find_sources([str(tmp_path / "a"), str(tmp_path / "b")])
    assert len(find_sources([str(tmp_path / "a"), str(tmp_path / "a" / "x.jpg")])) == 1, "named twice, taken once"


@pytest.mark.skipif(sys.platform != "linux", reason="where disks take them for one, there is one")
def test_names_that_some_disks_take_for_one_are_all_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ("a.jpg", "A.jpg", "sub/caf\u00e9.png", "sub/cafe\u0301.png", "@eaDir/a.jpg")
    inbox = written(tmp_path / "in", *names)
    os.mkfifo(inbox / "pipe.jpg")
    sources = find_sources([str(inbox)])
    assert len(sources) == 4
    assert "1 picture was left alone in bins" in caplog.text
    assert "pipe.jpg is a named pipe" in caplog.text
    told: dict[str, str] = {}
    find_sources([str(inbox)], tell=told.__setitem__)
    assert list(told) == [f"{inbox} special", f"{inbox} hidden"]
    with Journal(tmp_path / "journal.sqlite") as journal:
        for _ in range(2):
            make_tasks(sources, journal, Plan(model="m"))
            targets = {item.source: item.target for item in journal.items()}
            assert len({same_on_disk(target) for target in targets.values()}) == 4
            assert targets[str(inbox / "A.jpg")] == "A.jpg"
            assert targets[str(inbox / "a.jpg")] == "a-2.jpg"


def test_results_of_an_earlier_run_are_no_input(tmp_path: Path) -> None:
    photos = written(tmp_path / "photos", "a.jpg", "final/b.jpg", "out/c.jpg", "out/final/a.jpg", "out/review/d.jpg")
    (photos / "out/journal.sqlite").touch()
    told: dict[str, str] = {}
    sources = find_sources([str(photos)], tell=told.__setitem__)
    assert [source.name for source in sources] == ["a.jpg", "final/b.jpg", "out/c.jpg"]
    assert "results of likeness batch: out/final, out/review; name such a folder" in told[f"{photos} results"]
    assert names(f"{photos}/**/*.jpg") == ["a.jpg", "final/b.jpg", "out/c.jpg"]
    assert names(str(photos / "out/final")) == ["a.jpg"]
    assert names(str(photos), without=str(photos / "out")) == ["a.jpg", "final/b.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="where disks take them for one, there is one")
def test_a_file_that_comes_back_in_the_other_spelling_is_the_same(tmp_path: Path) -> None:
    inbox = written(tmp_path, "in/caf\u00e9.png") / "in"
    with Journal(tmp_path / "journal.sqlite") as journal:
        make_tasks(find_sources([str(inbox)]), journal, Plan(model="m"))
        content = (inbox / "caf\u00e9.png").read_bytes()
        (inbox / "caf\u00e9.png").unlink()
        (inbox / "cafe\u0301.png").write_bytes(content)
        put = make_tasks(find_sources([str(inbox)]), journal, Plan(model="m"))
        assert (put.added, put.kept) == (0, 1)
        (item,) = journal.items()
        assert (item.target, item.source) == ("caf\u00e9.png", str(inbox / "cafe\u0301.png"))
    (tmp_path / "list.csv").write_text("file,client\nin/caf\u00e9.png,Ann\n", encoding="utf-8")
    (source,) = find_sources([str(tmp_path / "list.csv")])
    assert source.url == str(inbox / "cafe\u0301.png"), "as the disk spells it"
    assert source.stamp


def test_a_list_cannot_lead_out_of_the_output(tmp_path: Path) -> None:
    inbox = written(tmp_path, "in/a.jpg", "b.jpg") / "in"
    (inbox / "list.csv").write_text("file\n../b.jpg\n./a.jpg\n..\\..\\c.jpg\n/etc/passwd\n")
    assert [source.name for source in find_sources([str(inbox / "list.csv")])] == ["b.jpg", "a.jpg", "c.jpg", "passwd"]
    for row in ("..", "sub/..", ".", "/"):
        (inbox / "list.csv").write_text(f"file\n{row}\n")
        with pytest.raises(ConfigError, match=r"line 2: .* is a folder"):
            find_sources([str(inbox / "list.csv")])


def test_a_list_with_clients_and_settings(tmp_path: Path) -> None:
    written(tmp_path, "sub/a.jpg", "b.jpg")
    (tmp_path / "list.csv").write_text(
        "File,Client,Email,preset,strength,eye,latent_step_decay,keep_grain,balance\n"
        "sub/a.jpg,Ann,ann@example.org,natural,0.5,1.4,,yes,0.5\n"
        "\n"
        "b.jpg,,,,,,0.04,,\n"
        "gone.jpg,Bob,,,,,,,\n"
    )
    ann, second, gone = find_sources([str(tmp_path / "list.csv")])
    assert (ann.name, ann.client, ann.email) == ("sub/a.jpg", "Ann", "ann@example.org")
    assert ann.settings == Settings(
        {"preset": "natural", "strength": 0.5, "face_mask_weights": {"eye": 1.4}, "keep_grain": True, "balance": 0.5}
    )
    assert second.settings == Settings({"latent_step_decay": 0.04})
    assert gone.stamp == "", "told when its turn comes: one missing file does not stop the others"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,preset\nx.jpg,natural\n", "no column file"),
        ("file\n", "lists no picture"),
        ("file,strength\na.jpg,2\n", "line 2: strength must be between 0 and 1"),
        ("file,strength\na.jpg,much\n", 'line 2: strength must be a number, not "much"'),
        ("file,eye\na.jpg,big\n", "line 2: eye must be a number"),
        ("file,preset\na.jpg,pretty\n", "unknown preset"),
        ("file,model\na.jpg,other\n", "the same for the whole run"),
        ("file,path\na.jpg,b.jpg\n", "two columns for file"),
        ("file,client\n,Ann\n", "line 2: the column file is empty"),
        ("file,client\na.jpg,Ann,Bob\n", "line 2: more cells"),
    ],
)
def test_lists_that_cannot_be_used(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_list(text.encode(), name="list.csv")


def test_lists_as_programs_write_them(caplog: pytest.LogCaptureFixture) -> None:
    semicolons = read_list("\ufefffile;eye\r\na.jpg;1,2\r\n".encode(), name="x.csv")
    assert semicolons[0].settings["face_mask_weights"] == {"eye": 1.2}
    chinese = read_list("file,client\n王.jpg,王芳\n".encode("gb18030"), name="x.csv")
    assert (chinese[0].file, chinese[0].client) == ("王.jpg", "王芳")
    with caplog.at_level(logging.WARNING):
        read_list(b"file,order,strenght,language\na.jpg,7,0.5,zh\n", name="x.csv")
    assert "order is not used" in caplog.text
    assert "language" not in caplog.text, "notify reads it"
    assert '(did you mean "strength"?)' in caplog.text


def test_a_sidecar_wins_over_the_list(tmp_path: Path) -> None:
    written(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "a.jpg.toml").write_text("strength = 0.3\n[face_mask_weights]\nlip = 0.5\n")
    (tmp_path / "b.jpg.json").write_text('{"preset": "film-scan"}')
    (tmp_path / "list.csv").write_text("file,strength,eye\na.jpg,0.9,1.2\n")
    first, second = find_sources([str(tmp_path)])
    assert first.settings == Settings({"strength": 0.3, "face_mask_weights": {"lip": 0.5}})
    assert second.settings == Settings({"preset": "film-scan"})
    (listed,) = find_sources([str(tmp_path / "list.csv")])
    assert listed.settings == Settings({"strength": 0.3, "face_mask_weights": {"eye": 1.2, "lip": 0.5}})


def test_sidecars_that_cannot_be_used(tmp_path: Path) -> None:
    written(tmp_path, "a.jpg")
    sidecar = tmp_path / "a.jpg.toml"
    for text, sentence in (
        ("strength = 3", "strength must be between"),
        ("threads = 2", "the same for the whole run"),
        ("eye = 2", "unknown key"),
    ):
        sidecar.write_text(text)
        with pytest.raises(ConfigError, match=rf"a\.jpg\.toml.*{sentence}"):
            find_sources([str(tmp_path)])
    (tmp_path / "a.jpg.json").write_text("{}")
    with pytest.raises(ConfigError, match="two sidecars"):
        find_sources([str(tmp_path)])


@pytest.mark.parametrize("scheme", ["memory", "s3"])
def test_the_same_from_a_store(scheme: str, request: pytest.FixtureRequest) -> None:
    root = "memory://sources" if scheme == "memory" else f"s3://{request.getfixturevalue('bucket')}/sources"
    place = Storage(root)
    place.write(b"a", "in/sub/a.jpg")
    place.write(b"b", "in/b.png")
    place.write(b"strength = 0.2", "in/b.png.toml")
    place.write(b"x", "in/out/final/b.png")
    place.write(b"file,client\nsub/a.jpg,Ann\n", "in/list.csv")
    second, first = find_sources([f"{root}/in"], without=f"{root}/in/out")
    assert (first.name, read_file(first.url)) == ("sub/a.jpg", b"a")
    assert (second.url, second.settings["strength"]) == (f"{root}/in/b.png", 0.2)
    assert names(f"{root}/in/sub/*.jpg") == ["a.jpg"]
    (listed,) = find_sources([f"{root}/in/list.csv"])
    assert (listed.name, listed.client, listed.url, listed.stamp) == ("sub/a.jpg", "Ann", first.url, first.stamp)
    (single,) = find_sources([f"{root}/in/b.png"])
    assert single.settings["strength"] == 0.2
