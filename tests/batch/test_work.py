"""One picture after the other, with a real network that is small."""

from __future__ import annotations

import io
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.batch import references, work
from likeness.batch.cache import CachedRuntime, ProjectionCache
from likeness.batch.journal import Item, Journal, PutCount, Task
from likeness.batch.network import NetworkPlan
from likeness.batch.options import WorkOptions
from likeness.batch.ray_worker import Travelling, Workplace
from likeness.batch.results import deliver, note_approved, withdraw_given_up
from likeness.batch.runner import Plan, make_tasks, redo, run, sweep
from likeness.batch.sources import Source, find_sources
from likeness.batch.storage import Storage
from likeness.batch.summary import RunFigures
from likeness.batch.summary_page import summary_page
from likeness.batch.work import PictureWorker, Result, read_source
from likeness.core.hashing import sha256_of, sha256_of_bytes
from likeness.errors import ConfigError, FileWriteError, ImageReadError, LicenceError
from likeness.evidence.quality_gate import GuardLimits
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.findings import Limits
from likeness.imaging.files import read_image, write_image
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.models.catalog import CATALOG
from likeness.models.formats import read_checkpoint, spec_for_task
from likeness.models.onnx_export import export_onnx
from likeness.models.store import Store
from likeness.reference.albums import Corrections, write_corrections
from likeness.reference.matching import FaceMatcher
from likeness.reference.people import Album, AlbumFace, scan_album, write_album
from likeness.restore import job
from likeness.restore.config import Settings
from likeness.restore.controls import Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.pipeline import Restorer
from likeness.runtimes.base import Runtime


class Studio:
    """A journal, a worker and an output in a folder."""

    def __init__(self, folder: Path, runtime: Runtime, output: str = "") -> None:
        self.output = Storage(output or str(folder / "out"))
        self.journal = Journal(folder / "journal.sqlite")
        self.runtime = CachedRuntime(runtime, model="tiny", kept=ProjectionCache(folder / "kept"))
        self.worker = PictureWorker(self.runtime, self.output)

    def put(self, sources: Sequence[Source], **settings: object) -> PutCount:
        plan = Plan(model="tiny", settings=Settings(settings))
        return make_tasks(sources, self.journal, plan)

    def run(self) -> dict[str, Result]:
        done = list(run(self.journal, self.worker.work, workers=2))
        assert all(one.counted for one in done)
        return {one.item.target: one.result for one in done}

    def work(self, source: Path, options: WorkOptions) -> Result:
        """One picture with options of its own."""
        item = Item(
            id=1, group="", target=source.with_suffix(".png").name, source=str(source),
            content=sha256_of_bytes(source.read_bytes()),
            model="tiny", options=options.to_dict(), key="", client="", email="", state="running", reason="", outcome={},
            attempts=1, created=0, changed=0,
        )  # fmt: skip
        return self.worker.work(item)


@pytest.fixture
def studio(tmp_path: Path, tiny_runtime: Runtime) -> Iterator[Studio]:
    studio = Studio(tmp_path, tiny_runtime)
    yield studio
    studio.journal.close()


def test_a_folder_from_beginning_to_end(studio: Studio, pictures: Path) -> None:
    sources = find_sources([str(pictures)])
    assert studio.put(sources) == PutCount(added=6)
    results = studio.run()
    states = {name: result.state for name, result in results.items()}
    assert states == {
        "ann.jpg": "final",
        "family/ben.png": "final",
        "family/cleo.webp": "final",
        "small.jpg": "skipped",
        "wall.jpg": "skipped",
        "broken.jpg": "failed",
    }
    assert [listed.name for listed in studio.output.files()] == [
        "final/ann.jpg",
        "final/family/ben.png",
        "final/family/cleo.webp",
    ]
    assert "the picture is only" in results["small.jpg"].reason
    assert "no face was found" in results["wall.jpg"].reason
    assert [finding["code"] for finding in results["broken.jpg"].outcome["findings"]] == ["unreadable"]
    outcome = results["ann.jpg"].outcome
    assert (outcome["output"], outcome["width"], len(outcome["faces"])) == ("final/ann.jpg", 256, 1)
    assert outcome["guard"]["doubts"] == []
    assert (outcome["preset"], outcome["controls"]["latent_step_decay"]) == ("standard", 0.1)
    assert results["small.jpg"].outcome["preset"] == ""
    item = studio.journal.get("ann.jpg")
    assert item is not None
    small = studio.journal.thumbnails(item)
    assert small is not None
    assert small.after is not None
    assert PillowImage.open(io.BytesIO(small.after)).size == (256, 256)

    # The same again: nothing is done. Then with another step: redone, without the network.
    assert studio.put(sources) == PutCount(kept=6)
    assert studio.run() == {}
    asked, _ = studio.runtime.counts
    assert studio.put(sources, latent_step_decay=0.03) == PutCount(changed=6)
    studio.run()
    assert studio.runtime.counts == (asked, 3)
    restored = Restorer(runtime=studio.runtime).restore(
        read_image(pictures / "family" / "ben.png"), Controls(latent_step_decay=0.03)
    )
    written = read_image(studio.output.read("final/family/ben.png"))
    assert (written.to_uint8() == restored.image.to_uint8()).all(), "as a fresh run would have it"

    # What was taken away is made again only on request; what a person moved to final is not.
    studio.output.write(studio.output.read("final/family/ben.png"), "review/family/ben.png")
    studio.output.remove("final/family/ben.png")
    studio.output.remove("final/ann.jpg")
    assert redo(studio.journal, studio.output, missing=True) == 1
    assert studio.run()["ann.jpg"].state == "final"
    assert redo(studio.journal, studio.output, failed=True, missing=True) == 1


def test_controls_are_chosen_for_each_picture(studio: Studio, pictures: Path) -> None:
    studio.put(find_sources([str(pictures)]), preset="auto", strength=0.5)
    told = [one.outcome for one in studio.run().values() if one.outcome["chosen"]]
    assert told
    for outcome in told:
        assert outcome["chosen"]["notice"]["code"] == "auto.chosen"
        assert outcome["controls"] == outcome["chosen"]["controls"]
        assert outcome["controls"]["strength"] == 0.5
    options = WorkOptions.of(Settings({"preset": "auto", "strength": 0.5}))
    assert WorkOptions.from_dict(options.to_dict()) == options
    assert "by_hand" not in WorkOptions.of(Settings({})).to_dict()


def test_references_of_a_list_serve_and_their_content_counts(
    studio: Studio, pictures: Path, tmp_path: Path, astronaut: Image
) -> None:
    write_image(astronaut.with_pixels(gaussian_blur(astronaut.pixels, 2.5)), tmp_path / "blurred.png")
    sharp = tmp_path / "sharp.png"
    write_image(astronaut, sharp)
    (tmp_path / "list.csv").write_text(f"file,references,trust_references\nblurred.png,{sharp};{sharp},yes\n")
    sources = find_sources([str(tmp_path / "list.csv")])
    options = sources[0].settings
    assert options["references"] == (sharp, sharp)
    assert studio.put(sources) == PutCount(added=1)
    (result,) = studio.run().values()
    (face,) = result.outcome["faces"]
    assert {gift["name"] for gift in face["references"]["gifts"]} == {"sharp.png"}
    assert studio.put(sources) == PutCount(kept=1)
    # Another content under the same name is another result.
    os.utime(sharp, ns=(1, 1))
    assert studio.put(sources) == PutCount(kept=1)
    shutil.copy(pictures / "wall.jpg", sharp)
    assert studio.put(sources) == PutCount(changed=1)
    (result,) = studio.run().values()
    assert result.state == "failed"
    assert "sharp.png shows no face that could serve as a reference" in result.reason


def test_a_list_gives_single_faces_their_own_settings(studio: Studio, tmp_path: Path, astronaut: Image) -> None:
    pair = Image(pixels=np.ascontiguousarray(np.hstack([astronaut.pixels, astronaut.pixels])))
    write_image(pair, tmp_path / "pair.png")
    (tmp_path / "list.csv").write_text('file,face_controls\npair.png,"2:strength=.5,eye=0"\n')
    sources = find_sources([str(tmp_path / "list.csv")])
    assert studio.put(sources) == PutCount(added=1)
    (result,) = studio.run().values()
    first, second = result.outcome["faces"]
    assert first["controls"] is None
    assert (second["controls"]["strength"], second["controls"]["face_mask_weights"]["eye"]) == (0.5, 0)
    assert studio.put(sources) == PutCount(kept=1)
    # A sidecar lies over the list, face by face, and makes it another result.
    (tmp_path / "pair.png.toml").write_text("[face_controls.1]\nkeep_grain = true\n")
    assert studio.put(find_sources([str(tmp_path / "list.csv")])) == PutCount(changed=1)
    (result,) = studio.run().values()
    first, second = result.outcome["faces"]
    assert (first["controls"]["keep_grain"], second["controls"]["strength"]) == (True, 0.5)
    (tmp_path / "list.csv").write_text('file,face_controls\npair.png,"2:strenth=.5"\n')
    with pytest.raises(
        ConfigError, match=r'line 2: a face has no setting called "strenth" \(did you mean "strength"\?\)'
    ):
        find_sources([str(tmp_path / "list.csv")])


def test_an_album_serves_a_batch_and_its_content_counts(studio: Studio, tmp_path: Path, astronaut: Image) -> None:
    family = tmp_path / "family"
    family.mkdir()
    write_image(astronaut.with_pixels(gaussian_blur(astronaut.pixels, 1.2)), family / "blurred.png")
    write_image(astronaut, family / "sharp.png")
    sources = find_sources([str(family)])

    def lent() -> dict[str, list[str]]:
        return {
            name: [row["name"] for row in result.outcome["faces"][0]["references"]["matches"] if row["serves"]]
            for name, result in studio.run().items()
        }

    assert studio.put(sources, album=family) == PutCount(added=2)
    # Each serves the other, as none serves itself.
    assert lent() == {"blurred.png": ["sharp.png"], "sharp.png": ["blurred.png"]}
    assert studio.put(sources, album=family) == PutCount(kept=2)

    # The same from an album's file, with what was corrected in it.
    kept = tmp_path / "people.json"
    album = scan_album(family, MediaPipeDetector(), FaceMatcher())
    write_album(kept, album, album.persons())
    assert studio.put(sources, album=kept) == PutCount(changed=2)
    assert lent() == {"blurred.png": ["sharp.png"], "sharp.png": ["blurred.png"]}
    write_corrections(tmp_path / "corrections.json", Corrections(never=frozenset({"sharp.png#0"})))
    assert studio.put(sources, album=kept) == PutCount(changed=2)
    assert lent() == {"blurred.png": [], "sharp.png": ["blurred.png"]}

    # A column of a list, and what cannot be used.
    (tmp_path / "list.csv").write_text(f"file,album\nfamily/blurred.png,{family}\n")
    assert studio.put(find_sources([str(tmp_path / "list.csv")])) == PutCount(changed=1)
    assert lent() == {"blurred.png": ["sharp.png"]}
    for place, why in ((tmp_path / "gone", "no such album"), (tmp_path / "corrections.json", "is no album")):
        with pytest.raises(ConfigError, match=why):
            studio.put(sources, album=place)
    with pytest.raises(ConfigError, match="contradict each other"):
        studio.put(sources, album=family, references=(family,))
    item = studio.journal.get("blurred.png")
    assert item is not None
    with pytest.raises(ImageReadError, match="cannot be opened on another machine"):
        read_source(item)


def test_photographs_of_an_album_that_change_count(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, kept = tmp_path / "family", tmp_path / "people.json"
    family.mkdir()
    for name in ("ann.png", "ben.png", "wall.png"):
        (family / name).write_bytes(name.encode())
        (tmp_path / f"of_{name}").write_bytes(b"a picture")
    faces = [
        AlbumFace(file=name, number=0, pixels=100, embedding=np.eye(128, dtype=np.float32)[0], shown=b"")
        for name in ("ann.png", "ben.png")
    ]
    files = {path.name: sha256_of(path) for path in family.iterdir()}
    write_album(kept, Album(folder=family, files=files, faces={face.key: face for face in faces}), [])
    (tmp_path / "list.csv").write_text("file,strength\nof_ann.png,1\nof_ben.png,0.5\nof_wall.png,0.4\n")
    sources = find_sources([str(tmp_path / "list.csv")])
    read: list[str] = []
    monkeypatch.setattr(references, "sha256_of", lambda path: (read.append(path.name), sha256_of(path))[1])

    def put() -> tuple[PutCount, list[str]]:
        read.clear()
        return studio.put(sources, album=kept), sorted(read)

    # Each photograph is read once, not for each picture nor by the next run.
    assert put() == (PutCount(added=3), ["ann.png", "ben.png", "people.json"])
    assert put() == (PutCount(kept=3), [])
    # The time alone changes nothing, nor does a photograph that cannot serve.
    for name in ("ann.png", "wall.png"):
        os.utime(family / name, (1, 1))
    (family / "wall.png").write_bytes(b"another wall")
    assert put() == (PutCount(kept=3), ["ann.png"])
    (family / "ann.png").write_bytes(b"another ann")
    assert put() == (PutCount(changed=3), ["ann.png"])
    # A disk that is away is nothing new; that one photograph is gone is.
    family.rename(tmp_path / "away")
    assert put() == (PutCount(kept=3), [])
    (tmp_path / "away").rename(family)
    assert put() == (PutCount(kept=3), [])
    (family / "ben.png").unlink()
    assert put() == (PutCount(changed=3), [])
    family.rename(tmp_path / "away")
    assert put() == (PutCount(kept=3), [])


def test_references_travel_with_a_picture(studio: Studio, tmp_path: Path, astronaut: Image) -> None:
    write_image(astronaut.with_pixels(gaussian_blur(astronaut.pixels, 2.5)), tmp_path / "blurred.png")
    (tmp_path / "album").mkdir()
    write_image(astronaut, tmp_path / "album" / "sharp.png")
    settings = {"references": (tmp_path / "album",), "trust_references": True}
    studio.put(find_sources([str(tmp_path / "blurred.png")]), **settings)
    (item,) = studio.journal.items()
    handed = read_source(item)
    assert handed.references is not None
    assert [(name, optional) for name, _, optional in handed.references] == [("sharp.png", True)]
    shutil.rmtree(tmp_path / "album")
    result = studio.worker.work(item, handed)
    (face,) = result.outcome["faces"]
    assert {gift["name"] for gift in face["references"]["gifts"]} == {"sharp.png"}


def test_one_content_under_two_names_is_done_under_both_with_one_pass_of_the_network(
    studio: Studio, pictures: Path, tmp_path: Path
) -> None:
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes((pictures / "ann.jpg").read_bytes())
    studio.put(find_sources([str(tmp_path / "in")]))
    for _ in run(studio.journal, studio.worker.work, workers=1):
        pass
    assert studio.runtime.counts == (1, 1)
    assert studio.output.read("final/one.jpg") == studio.output.read("final/two.jpg")


def test_doubtful_results_go_to_review_and_come_back(studio: Studio, pictures: Path) -> None:
    strict = WorkOptions(guard=GuardLimits(blotch=0))
    result = studio.work(pictures / "ann.jpg", strict)
    assert result.state == "review"
    assert "a place on the face changed its light or colour" in result.reason
    assert [listed.name for listed in studio.output.files()] == ["review/ann.png"]
    again = studio.work(pictures / "ann.jpg", replace(strict, guard=None))
    assert (again.state, again.outcome["guard"]) == ("final", None)
    assert [listed.name for listed in studio.output.files()] == ["final/ann.png"], "never in both"


def test_what_a_hand_made_of_a_result_is_set_aside_and_not_lost(studio: Studio, pictures: Path) -> None:
    (source,) = find_sources([str(pictures / "ann.jpg")])
    output = studio.output
    output.write(b"somebody's", "final/ann.jpg")
    assert studio.put([source]) == PutCount(added=1)
    assert studio.run()["ann.jpg"].outcome["replaced"] == ["replaced/ann.jpg"]
    assert output.read("replaced/ann.jpg") == b"somebody's"

    # A result as it was written is none's work: it gives way to the next one.
    studio.put([source], strength=0.9)
    assert studio.run()["ann.jpg"].outcome["replaced"] == []
    # A retoucher's gives way too, but is kept, under a name of its own.
    output.write(b"retouched", "final/ann.jpg")
    studio.put([source], strength=0.8)
    result = studio.run()["ann.jpg"]
    assert result.outcome["replaced"] == ["replaced/ann-2.jpg"]
    assert output.read("replaced/ann-2.jpg") == b"retouched"
    assert sha256_of_bytes(output.read("final/ann.jpg")) == result.outcome["digest"]


def test_a_picture_that_is_left_alone_now_has_no_result_of_before(studio: Studio, pictures: Path) -> None:
    (source,) = find_sources([str(pictures / "ann.jpg")])
    studio.put([source])
    assert studio.run()["ann.jpg"].state == "final"
    studio.put([source], min_face=2000.0)
    result = studio.run()["ann.jpg"]
    assert (result.state, result.outcome["replaced"]) == ("skipped", [])
    assert list(studio.output.files()) == []
    studio.put([source])
    studio.run()
    studio.output.write(b"retouched", "final/ann.jpg")
    studio.put([source], min_face=2000.0)
    assert studio.run()["ann.jpg"].outcome["replaced"] == ["replaced/ann.jpg"]
    assert [listed.name for listed in studio.output.files()] == ["replaced/ann.jpg"]


def test_a_picture_that_ends_its_process_has_no_result_of_before(studio: Studio, tmp_path: Path) -> None:
    output = studio.output
    with Journal(tmp_path / "own.sqlite", lease=1e-6, max_attempts=2) as journal:

        def put(content: str) -> None:
            journal.put([Task(target="ann.jpg", source="in/ann.jpg", content=content, model="m")])

        def state() -> str:
            (item,) = journal.items()
            return item.state

        put("one")
        item = journal.claim()
        assert item is not None
        deliver(output, item, "final", b"yesterday's", sha256_of_bytes(b"yesterday's"))
        written = {"output": "final/ann.jpg", "bytes": 11, "digest": sha256_of_bytes(b"yesterday's")}
        assert journal.finish(item, "final", outcome=written)
        assert withdraw_given_up(journal, output) == {}
        put("another")
        for _ in range(2):
            assert withdraw_given_up(journal, output) == {}
            assert journal.claim() is not None
            time.sleep(0.001)
        assert journal.claim() is None
        assert (state(), output.exists("final/ann.jpg")) == ("failed", True)
        assert withdraw_given_up(journal, output) == {"in/ann.jpg": ()}
        assert not output.exists("final/ann.jpg")
        # What somebody lays there afterwards is none of the batch's business.
        output.write(b"by hand", "final/ann.jpg")
        assert withdraw_given_up(journal, output) == {}
        assert (state(), output.read("final/ann.jpg")) == ("failed", b"by hand")


def test_a_picture_whose_disk_is_away_keeps_its_result_and_is_tried_again(
    studio: Studio, pictures: Path, tmp_path: Path
) -> None:
    source = tmp_path / "ann.jpg"
    source.write_bytes((pictures / "ann.jpg").read_bytes())
    found = find_sources([str(source)])
    studio.put(found)
    assert studio.run()["ann.jpg"].state == "final"
    studio.put(found, strength=0.5)
    source.rename(tmp_path / "away.jpg")
    result = studio.run()["ann.jpg"]
    assert (result.state, result.outcome["findings"]) == ("failed", []), "nothing is the matter with the picture"
    assert studio.output.exists("final/ann.jpg")
    (tmp_path / "away.jpg").rename(source)
    assert studio.put(found, strength=0.5) == PutCount(changed=1)
    result = studio.run()["ann.jpg"]
    assert (result.state, result.outcome["replaced"]) == ("final", [])


def test_a_reference_whose_disk_is_away_fails_no_picture_for_good(
    studio: Studio, pictures: Path, tmp_path: Path
) -> None:
    reference = tmp_path / "reference.jpg"
    reference.write_bytes((pictures / "ann.jpg").read_bytes())
    found = find_sources([str(pictures / "ann.jpg")])
    studio.put(found)
    studio.run()
    studio.put(found, references=(str(reference),))
    reference.rename(tmp_path / "away.jpg")
    assert studio.run()["ann.jpg"].state == "failed"
    assert studio.output.exists("final/ann.jpg")
    (tmp_path / "away.jpg").rename(reference)
    assert studio.put(found, references=(str(reference),)) == PutCount(changed=1)
    assert studio.run()["ann.jpg"].state == "final"


def test_what_another_run_wrote_meanwhile_is_no_hand_s_work(
    studio: Studio, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = find_sources([str(pictures / "ann.jpg")])
    studio.put([source])

    def overtaken(item: Item) -> Result:
        studio.put([source], strength=0.5)
        return studio.worker.work(item)

    (first, second) = (next(run(studio.journal, work, workers=1)) for work in (overtaken, studio.worker.work))
    assert (first.counted, second.counted) == (False, True)
    assert second.result.outcome["replaced"] == []

    # Nor is a result whose successor could not be written, as the disk was full.
    studio.put([source], strength=0.6)
    full = FileWriteError(Notice("file.disk-full", {"file": "ann.jpg"}))
    with monkeypatch.context() as patched:
        patched.setattr(Storage, "write", lambda *_: (_ for _ in ()).throw(full))
        assert studio.run()["ann.jpg"].retry
    assert studio.put([source], strength=0.6) == PutCount(changed=1)
    assert studio.run()["ann.jpg"].outcome["replaced"] == []


def test_a_result_that_was_moved_to_final_by_hand_is_delivered(studio: Studio, pictures: Path) -> None:
    (source,) = find_sources([str(pictures / "ann.jpg")])
    strict = Plan(model="tiny", guard=GuardLimits(blotch=0))
    make_tasks([source], studio.journal, strict)
    assert studio.run()["ann.jpg"].state == "review"
    assert note_approved(studio.journal, studio.output) == 0
    studio.output.move("review/ann.jpg", "final/ann.jpg")
    assert note_approved(studio.journal, studio.output) == 1
    item = studio.journal.get("ann.jpg")
    assert item is not None
    assert (item.state, item.outcome["output"], item.outcome["approved"]) == ("final", "final/ann.jpg", True)
    assert "Approved by hand" in summary_page(
        studio.journal, RunFigures(model="", seconds=0, done=0).to_dict(), model=""
    )
    assert make_tasks([source], studio.journal, strict) == PutCount(kept=1)
    # What is asked for otherwise is looked at anew.
    studio.put([source], strength=0.5)
    result = studio.run()["ann.jpg"]
    assert (result.state, result.outcome["replaced"]) == ("final", [])
    assert "approved" not in result.outcome


def test_what_lies_in_review_is_looked_for_with_one_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store would be asked about each of them at the beginning of every run."""
    output = Storage(f"memory://{tmp_path.name}/out")
    names = [f"{number}.jpg" for number in range(5)]
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.put(Task(target=name, source=name, content=name, model="") for name in names)
        for name in names:
            item = journal.claim()
            assert item is not None
            output.write(b"restored", f"review/{name}")
            journal.finish(item, "review", outcome={"output": f"review/{name}"})
        output.move("review/3.jpg", "final/3.jpg")
        output.write(b"copied", "final/4.jpg")
        asked: list[str] = []
        exists = Storage.exists
        monkeypatch.setattr(Storage, "exists", lambda place, name: asked.append(name) or exists(place, name))
        assert note_approved(journal, output) == 1
        assert asked == ["final/3.jpg", "review/3.jpg"]
        assert journal.counts()["final"] == 1
        asked.clear()
        output.remove("review/0.jpg")
        assert note_approved(journal, output) == 0


def test_a_bad_face_goes_to_review_and_is_counted(studio: Studio, pictures: Path, tmp_path: Path) -> None:
    picture = read_image(pictures / "ann.jpg")
    soft = tmp_path / "soft.png"
    write_image(picture.with_pixels(gaussian_blur(picture.pixels, 2.5)), soft)
    result = studio.work(soft, WorkOptions())
    assert result.state == "review", result.reason
    assert result.reason.startswith("the face came out bad: the photograph holds only ")
    (doubt, *_) = result.outcome["guard"]["doubts"]
    assert (doubt["check"], doubt["face"]) == ("bad", 0)
    assert result.outcome["faces"][0]["verdict"]["level"] == "bad"
    left = studio.work(soft, WorkOptions(on_bad="skip"))
    assert left.state == "skipped"
    assert "came out bad" in left.reason
    assert WorkOptions.from_dict(WorkOptions(on_bad="keep").to_dict()).on_bad == "keep"
    assert "on_bad" not in WorkOptions().to_dict(), "what nobody set makes no picture new"


def test_results_are_enlarged_as_each_picture_asks(studio: Studio, pictures: Path) -> None:
    options = WorkOptions(enlargement=Enlargement(upscale=2, background="clean"))
    assert WorkOptions.from_dict(options.to_dict()) == options
    before = read_image(pictures / "ann.jpg").size
    result = studio.work(pictures / "ann.jpg", options)
    assert result.state in ("final", "review"), result.reason
    after = read_image(studio.output.read(result.outcome["output"])).size
    assert (after.width, after.height) == (2 * before.width, 2 * before.height)
    refused = studio.work(pictures / "ann.jpg", WorkOptions(enlargement=Enlargement(upscale=8, max_output_pixels=1000)))
    assert refused.state == "failed"
    assert "more than the limit of 1,000" in refused.reason


def test_what_happens_on_a_finding(studio: Studio, pictures: Path) -> None:
    # The head of the sample is turned by some degrees.
    limits = Limits(max_yaw=0, ignore=frozenset({"background-busy"}))
    options = WorkOptions(limits=limits)
    flagged = studio.work(pictures / "ann.jpg", options)
    assert flagged.state == "final"
    assert {finding["code"] for finding in flagged.outcome["findings"]} == {"face-turned"}
    assert flagged.outcome["fixes"] == []
    skipped = studio.work(pictures / "ann.jpg", replace(options, on_finding="skip"))
    assert (skipped.state, "the head is turned" in skipped.reason) == ("skipped", True)
    fixed = studio.work(pictures / "ann.jpg", replace(options, on_finding="fix"))
    assert fixed.outcome["fixes"] == ["face-turned: restored as gently as the preset natural"]
    assert "头部" in Notice.of(skipped.reason).say("zh")
    in_force = (fixed.outcome["preset"], fixed.outcome["controls"]["latent_step_decay"])
    assert in_force == ("", 0.04), "what was done, not what was asked for"
    gains = [result.outcome["faces"][0]["region_gains"]["cheek"] for result in (flagged, fixed)]
    assert gains[1] < gains[0]
    refused = studio.work(
        pictures / "ann.jpg", replace(options, limits=Limits(max_yaw=0, refuse=frozenset({"face-turned"})))
    )
    assert refused.state == "skipped"


def test_what_went_wrong_is_in_the_result(studio: Studio, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = studio.journal
    studio.put(find_sources([str(pictures / "ann.jpg")]))
    item = changed.claim()
    assert item is not None
    result = studio.worker.work(replace(item, content="other"))
    assert (result.state, result.retry, "was changed since" in result.reason) == ("failed", True, True)
    assert Notice.of(result.reason).say("zh") == f"{item.source} 在列出之后被改动过，请重新运行"
    missing = studio.worker.work(replace(item, source=str(pictures / "gone.jpg")))
    assert (missing.state, "gone.jpg" in missing.reason) == ("failed", True)
    large = studio.worker.work(replace(item, options=WorkOptions(max_pixels=100).to_dict()))
    assert "more than the limit" in large.reason
    none = studio.worker.work(
        replace(item, options=WorkOptions(selection=replace(WorkOptions().selection, min_size=900)).to_dict())
    )
    assert (none.state, "narrower than 900 px" in none.reason) == ("skipped", True)
    place = studio.output.path
    assert place is not None
    place.parent.mkdir(exist_ok=True)
    place.write_text("a file where the folder should be")
    full = studio.worker.work(item)
    assert (full.state, full.retry, "cannot be made" in full.reason) == ("failed", True, True)
    for error, retry in ((MemoryError(), True), (ZeroDivisionError("oh"), False)):

        def broken(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(Restorer, "restore", broken)
        result = studio.worker.work(item)
        assert (result.state, result.retry, result.bug is None) == ("failed", retry, retry)


def test_large_pictures_are_read_all_the_same(studio: Studio, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_LARGE", 1000)
    for _ in range(2):
        assert studio.work(pictures / "ann.jpg", WorkOptions()).state == "final"


@pytest.mark.parametrize(("most", "given_back"), [(100, 1), (24_000_000, 0)])
def test_memory_of_a_large_picture_is_given_back(
    studio: Studio, pictures: Path, monkeypatch: pytest.MonkeyPatch, most: int, given_back: int
) -> None:
    calls: list[None] = []
    monkeypatch.setattr(job, "_LARGE", most)
    monkeypatch.setattr(work, "return_freed", lambda: calls.append(None))
    assert studio.work(pictures / "ann.jpg", WorkOptions()).state == "final"
    assert len(calls) == given_back


def test_results_keep_their_names(studio: Studio, pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("IMG_1.JPG", "img_1.heic", "IMG_1.gif", "IMG_1.png"):
        (folder / name).write_bytes((pictures / "ann.jpg").read_bytes())
    studio.put(find_sources([str(folder)]))
    first = {item.source: item.target for item in studio.journal.items()}
    assert {Path(source).name: target for source, target in first.items()} == {
        "IMG_1.JPG": "IMG_1.JPG",
        "IMG_1.png": "IMG_1.png",
        "IMG_1.gif": "IMG_1.gif.png",
        "img_1.heic": "img_1.heic.jpg",
    }
    (folder / "AAA.jpg").write_bytes(b"earlier in the alphabet")
    studio.put(find_sources([str(folder)]))
    assert first.items() <= {item.source: item.target for item in studio.journal.items()}.items()


def _unread(file: str) -> bytes:
    pytest.fail(f"{file} is read again")


def test_pictures_that_were_moved_or_are_named_otherwise_are_known(
    studio: Studio, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another path to them, in another folder, and from another folder; not what another folder holds as well."""
    monday = tmp_path / "monday"
    (monday / "sub").mkdir(parents=True)
    for name in ("ann.jpg", "sub/ann.jpg", "sub/ben.png"):
        (monday / name).write_bytes((pictures / "ann.jpg").read_bytes() + name.encode())
    monkeypatch.chdir(tmp_path)
    targets = {"ann.jpg", "sub/ann.jpg", "sub/ben.png"}

    def put(folder: str | Path) -> PutCount:
        return studio.put(find_sources([str(folder)]))

    assert put("monday") == PutCount(added=3)
    assert put(monday) == PutCount(kept=3), "an absolute path"
    assert {item.source for item in studio.journal.items()} == {str(monday / name) for name in targets}
    assert put("monday/") == PutCount(kept=3)
    monkeypatch.chdir(monday)
    assert put(".") == PutCount(kept=3), "from another folder"
    monkeypatch.chdir(tmp_path)
    monday.rename(tmp_path / "last monday")
    assert put("last monday") == PutCount(kept=3), "renamed"
    (tmp_path / "last monday" / "ann.jpg").write_bytes((pictures / "ann.jpg").read_bytes())
    assert put(tmp_path / "last monday") == PutCount(kept=2, changed=1)
    assert {item.target for item in studio.journal.items()} == targets
    shutil.copytree(tmp_path / "last monday", tmp_path / "tuesday")
    assert put("tuesday") == PutCount(added=3), "the same photographs, sent once more"
    assert {item.target for item in studio.journal.items()} == targets | {"ann-2.jpg", "sub/ann-2.jpg", "sub/ben-2.png"}


def test_two_runs_that_begin_at_once_give_no_name_twice(studio: Studio, pictures: Path, tmp_path: Path) -> None:
    """Two folders into one output: while one run reads its files, the other puts pictures of the same names."""
    other = tmp_path / "tuesday"
    other.mkdir()
    (other / "ann.jpg").write_bytes((pictures / "family" / "ben.png").read_bytes())
    monday, tuesday = find_sources([str(pictures / "ann.jpg")]), find_sources([str(other)])

    class Reading(Plan):
        def digest(self, source: Source) -> str:
            with Journal(studio.journal.path) as journal:
                make_tasks(tuesday, journal, Plan(model="tiny"))
            return super().digest(source)

    assert make_tasks(monday, studio.journal, Reading(model="tiny")) == PutCount(added=1)
    found = {item.source: item.target for item in studio.journal.items()}
    assert found == {str(other / "ann.jpg"): "ann.jpg", str(pictures / "ann.jpg"): "ann-2.jpg"}


def test_what_was_read_before_a_run_was_ended_is_known(studio: Studio, pictures: Path) -> None:
    stop = threading.Event()
    read: list[str] = []

    class Reading(Plan):
        def digest(self, source: Source) -> str:
            stop.set()
            read.append(source.url)
            return super().digest(source)

    sources = find_sources([str(pictures)])
    assert make_tasks(sources, studio.journal, Reading(model="tiny"), stop=stop) == PutCount()
    assert read
    assert make_tasks(sources, studio.journal, Reading(model="tiny")) == PutCount(added=6)
    assert len(read) == len(sources), "each file once"


def test_files_are_not_read_again_to_be_known(studio: Studio, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = find_sources([str(pictures)])
    studio.put(sources)
    monkeypatch.setattr("likeness.batch.runner.read_file", _unread)
    assert studio.put(sources) == PutCount(kept=6)


def test_another_task_fidelity_or_network_for_whole_pictures_is_another_result(studio: Studio, pictures: Path) -> None:
    sources = find_sources([str(pictures)])
    assert studio.put(sources) == PutCount(added=6)
    assert studio.put(sources, task="colourise") == PutCount(changed=6)
    assert studio.put(sources, task="inpaint") == PutCount(changed=6)
    assert studio.put(sources, fidelity=0.5) == PutCount(changed=6)
    assert studio.put(sources, fidelity=0.7) == PutCount(changed=6)
    for model in ("big-lama-0123456789abcdef", "big-lama-0123456789abcde0"):
        plan = Plan(model="tiny", picture_model=model, settings=Settings({"fidelity": 0.7}))
        assert make_tasks(sources, studio.journal, plan) == PutCount(changed=6)
        assert make_tasks(sources, studio.journal, plan) == PutCount(kept=6)
        item = studio.journal.get("ann.jpg")
        assert item is not None
        options = WorkOptions.from_dict(item.options)
        assert (options.picture_model, options.fidelity) == (model, 0.7)
    assert studio.put(sources) == PutCount(changed=6)


def test_what_a_killed_process_left_is_swept_when_alone(studio: Studio, tmp_path: Path) -> None:
    part = tmp_path / "out" / "final" / "sub" / ".likeness-0123456789ab.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    newer = part.with_name(".likeness-ba9876543210.part")
    newer.write_bytes(b"of a process that has begun since")
    os.utime(newer, (time.time() + 60,) * 2)
    # A summary that was never finished, and a proof that another command is writing.
    old, new = (tmp_path / "out" / f".likeness-{name}.part" for name in ("000000000000", "111111111111"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    with Journal(studio.journal.path):
        assert sweep(studio.journal, studio.output) == 0
    assert sweep(studio.journal, studio.output) == 2
    assert list(part.parent.iterdir()) == [newer]
    assert (old.exists(), new.exists()) == (False, True)


def test_the_guard_measures_what_the_verdict_was_told_from(
    studio: Studio, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.evidence.quality_gate.make_scene", None)
    assert studio.work(pictures / "ann.jpg", WorkOptions(guard=GuardLimits())).state == "final"


def test_from_a_store_to_a_store(tmp_path: Path, tiny_runtime: Runtime, pictures: Path, bucket: str) -> None:
    inbox = Storage(f"s3://{bucket}/work/in")
    inbox.write((pictures / "ann.jpg").read_bytes(), "sub/ann.jpg")
    inbox.write(b"strength = 0.5", "sub/ann.jpg.toml")
    inbox.write((pictures / "broken.jpg").read_bytes(), "broken.jpg")
    studio = Studio(tmp_path, tiny_runtime, output=f"s3://{bucket}/work/out")
    studio.put(find_sources([f"s3://{bucket}/work/in"]))
    results = studio.run()
    assert {name: result.state for name, result in results.items()} == {"broken.jpg": "failed", "sub/ann.jpg": "final"}
    assert [listed.name for listed in studio.output.files()] == ["final/sub/ann.jpg"]
    restored = Restorer(runtime=tiny_runtime).restore(read_image(pictures / "ann.jpg"), Controls(strength=0.5))
    written = read_image(studio.output.read("final/sub/ann.jpg"))
    assert abs(written.pixels - restored.image.pixels).mean() < 0.01
    assert redo(studio.journal, studio.output, missing=True) == 0
    studio.journal.close()


def test_a_licence_accepted_where_the_run_began_is_asked_for_nowhere_else(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker on another machine, to which the network's file was sent: its store has accepted nothing."""
    restricted = replace(CATALOG["GPEN-BFR-512"], sha256=sha256_of(tiny_model), size=tiny_model.stat().st_size)
    defaults = Store.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "catalog", {restricted.name: restricted})
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "driver"))
    Store().accept_licence("GPEN-BFR-512")
    plan = NetworkPlan(settings=Settings({"model": str(tiny_model), "device": "cpu", "threads": 1}), model="tiny")
    assert plan.file == tiny_model
    accepted = Store().accepted
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "worker"))
    with pytest.raises(LicenceError, match="GPEN-BFR-512 has its own licence"):
        plan.load(tiny_model)
    assert replace(plan, accepted=accepted).load(tiny_model).spec.size == 128


def test_a_file_that_was_sent_keeps_its_name_which_tells_what_it_is(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPEN network as a plain ONNX file: nothing but its name says whose it is."""
    onnx = pytest.importorskip("onnx")
    file = tmp_path / "my-gpen.onnx"
    export_onnx(read_checkpoint(tiny_model), file, name="mine")
    model = onnx.load(file)
    del model.metadata_props[:]
    file.write_bytes(model.SerializeToString())
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "worker"))
    settings = Settings({"model": str(tmp_path / "lost.onnx"), "device": "cpu", "threads": 1})
    begin = Workplace(
        network=NetworkPlan(settings=settings, model="mine", task="restore"), file=Travelling.of(file, "mine")
    )
    for _ in range(2):  # the second time it is there
        work = begin(file.read_bytes())
        assert work.spec == spec_for_task(file, "restore")
        assert work.spec.authors.template == "gpen"
        work.close()
