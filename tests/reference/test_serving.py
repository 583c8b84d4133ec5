from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sittings import Sitting

from likeness.errors import ArgumentError, ImageReadError, NoFaceError
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face, Landmarks
from likeness.imaging.colour import luma
from likeness.imaging.files import write_image
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Box, Image, Pixels, Size
from likeness.metrics import psnr
from likeness.models.spec import Authors, Spec
from likeness.reference.matching import Embedding, FaceMatcher
from likeness.reference.photographs import Reference, prepare_reference
from likeness.reference.references import Photograph, References
from likeness.reference.serving import Match, assigned, matches, warped_for
from likeness.restore.controls import Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer
from likeness.runtimes.base import WrappedRuntime


@pytest.fixture(scope="module")
def restorer(tiny_model: Path) -> Restorer:
    """A real, small network, which returns what it is shown: all that comes back is the reference's."""
    return Restorer(tiny_model, precision="f32")


@pytest.fixture(scope="module")
def blurred(astronaut: Image) -> Image:
    return astronaut.with_pixels(gaussian_blur(astronaut.pixels, 2.5))


@pytest.fixture(scope="module")
def softened(astronaut: Image) -> Image:
    """Less than a lost photograph: the small network sharpens nothing, and a mesh of what is lost is out of place."""
    return astronaut.with_pixels(gaussian_blur(astronaut.pixels, 1.5))


@pytest.fixture(scope="module")
def projection(restorer: Restorer, blurred: Image) -> FaceProjection:
    (face,) = restorer.find_faces(blurred)
    return restorer.project(blurred, face, Controls.standard())


@pytest.fixture
def references(astronaut: Image, matcher: FaceMatcher) -> References:
    # At 64 px, as the small network sees a face, it is in doubt.
    return References([astronaut], matcher=matcher, trusted=True)


@pytest.fixture(scope="module")
def stranger(matcher: FaceMatcher) -> FaceMatcher:
    """A matcher for which everybody is likely somebody else: the embedding turned round in every second call."""

    class Doubting(FaceMatcher):
        def __init__(self) -> None:
            super().__init__()
            self._sign = np.float32(1)

        def embed(self, *crops: Pixels) -> Embedding:
            self._sign = -self._sign
            return matcher.embed(*crops) * self._sign

    return Doubting()


def test_a_network_with_another_template_knows_faces_as_well(
    restorer: Restorer, astronaut: Image, matcher: FaceMatcher
) -> None:
    """GPEN's weights under the preset plain: there the face is a seventh smaller, which alone took 0.14 of its likeness."""

    class Published(WrappedRuntime):
        @property
        def spec(self) -> Spec:
            return replace(super().spec, authors=Authors(template="gpen"))

    published = Restorer(runtime=Published(restorer.runtime))
    (face,) = published.find_faces(astronaut)
    usual, plain = (published.project(astronaut, face, Controls.preset(name)) for name in ("standard", "plain"))
    assert (usual.alignment.template, plain.alignment.template) == ("ffhq", "gpen")
    references = References([astronaut], matcher=matcher)
    assert float(references.who(usual) @ references.who(plain)) > 0.97
    # The picture itself serves nobody, whichever way it is cut.
    for item in (usual, plain):
        (served,) = references.serve([item], published.detector)
        assert [notice.code for notice in served.warnings] == ["reference.itself"]


def test_a_file_of_a_folder_that_the_disk_holds_back_for_a_moment_serves_afterwards(
    astronaut: Image, matcher: FaceMatcher
) -> None:
    looked: list[str] = []

    def photograph(name: str, fails: list[bool]) -> Photograph:
        def read() -> Image:
            looked.append(name)
            if fails and fails.pop():
                raise ImageReadError("it broke off") from OSError(5, "Input/output error")
            return astronaut

        return Photograph(name=name, read=read, optional=True)

    references = References([photograph("a", []), photograph("b", [True])], matcher=matcher)
    prepared = [[one.name for one in references.prepare(MediaPipeDetector(), 128)] for _ in range(3)]
    assert prepared == [["a"], ["a", "b"], ["a", "b"]]
    assert looked == ["a", "b", "b"]


def test_a_larger_neighbour_in_the_crop_lends_no_mesh(projection: FaceProjection, sitting: Sitting) -> None:
    own = projection.face.landmarks
    points = projection.alignment.to_crop(own.points).astype(np.float32)
    face = replace(
        projection.face,
        box=Box(40, 40, 90, 90),
        landmarks=Landmarks(points=points, depth=own.depth),
        five_points=projection.alignment.to_crop(projection.face.five_points),
    )
    neighbour = replace(face.moved(40, 10), box=Box(0, 0, 120, 120))

    class Finds:
        def __init__(self, *faces: Face) -> None:
            self.faces = faces

        def detect(self, _: Image) -> tuple[Face, ...]:
            return self.faces

    size = projection.crop.shape[0]
    light = resize(sitting.reference.light, Size(size, size), "area")
    points = sitting.reference.points * np.float32(size / len(sitting.reference.light))
    reference = sitting.with_reference(light=light, valid=np.ones_like(light), points=points, irises=None)
    chosen = [Match(reference=reference, likeness=1.0, verdict="same")]
    alone, beside = (warped_for(projection, chosen, Finds(*faces)) for faces in ((face,), (neighbour, face)))
    assert alone is not None
    assert beside is not None
    assert np.abs(alone.detail).max() > 0.02
    assert np.array_equal(alone.detail, beside.detail)


def test_a_face_is_restored_with_its_reference(
    restorer: Restorer, softened: Image, astronaut: Image, references: References
) -> None:
    without = restorer.restore(softened)
    assert without.faces[0].references is None
    with_it = restorer.restore(softened, references=references)
    (outcome,) = with_it.faces
    assert outcome.references is not None
    assert [match.serves for match in outcome.references.matches] == [True]
    assert {"eye", "nose"} <= {gift.region for gift in outcome.references.gifts}
    assert {gift.name for gift in outcome.references.gifts} == {"photograph 1"}
    before, after = without.image.pixels, with_it.image.pixels
    box = outcome.face.box.to_slices()
    fine = [(luma(x) - gaussian_blur(luma(x), 2))[box].ravel() for x in (before, after, astronaut.pixels)]
    alike = [float(np.corrcoef(x, fine[2])[0, 1]) for x in fine[:2]]
    assert alike[1] > alike[0] + 0.01
    assert psnr(after[box], astronaut.pixels[box]) > psnr(before[box], astronaut.pixels[box])


def test_strength_is_arithmetic(
    restorer: Restorer, blurred: Image, projection: FaceProjection, references: References
) -> None:
    (served,) = restorer.serve([projection], references)
    assert served.projection is projection.projection
    assert served.target is projection.target
    assert served.nbytes > projection.nbytes

    def composed(item: FaceProjection, strength: float) -> Pixels:
        return restorer.compose(blurred, [item], Controls(reference_strength=strength)).image.pixels

    plain, none, half, whole = (
        composed(projection, 1),
        composed(served, 0),
        composed(served, 0.5),
        composed(served, 1),
    )
    np.testing.assert_array_equal(none, plain)
    inside = (whole > 0) & (whole < 1)  # beyond, a pixel is clipped
    np.testing.assert_allclose(half[inside], ((none + whole) / 2)[inside], atol=1e-5)
    assert inside.mean() > 0.95
    assert np.abs(whole - plain).max() > 0.02


def test_an_enlarged_face_is_served_too(
    restorer: Restorer, softened: Image, astronaut: Image, references: References
) -> None:
    twice = Enlargement(upscale=2.0, background="lanczos")
    without = restorer.restore(softened, enlargement=twice).image
    with_it = restorer.restore(softened, enlargement=twice, references=references).image
    assert with_it.size == without.size
    fine = [luma(x.pixels) - gaussian_blur(luma(x.pixels), 4) for x in (without, with_it)]
    change = fine[1] - fine[0]
    larger = np.repeat(np.repeat(luma(astronaut.pixels), 2, 0), 2, 1)
    missing = larger - gaussian_blur(larger, 4) - fine[0]
    where = np.abs(change) > 0.005
    assert where.any()
    assert np.corrcoef(change[where], missing[where])[0, 1] > 0.3


def test_another_person_serves_only_if_somebody_says_so(
    restorer: Restorer, blurred: Image, astronaut: Image, stranger: FaceMatcher
) -> None:
    without = restorer.restore(blurred)
    refused = restorer.restore(blurred, references=References([astronaut], matcher=stranger))
    np.testing.assert_array_equal(refused.image.pixels, without.image.pixels)
    (outcome,) = refused.faces
    assert outcome.references is not None
    assert not outcome.references.gifts
    assert outcome.warnings[-1].code == "reference.other"
    forced = restorer.restore(blurred, references=References([astronaut], matcher=stranger, trusted=True))
    assert forced.faces[0].warnings[-1].code == "reference.trusted"
    assert np.abs(forced.image.pixels - without.image.pixels).max() > 0.02


def test_a_face_in_doubt_gets_none(restorer: Restorer, blurred: Image, astronaut: Image, matcher: FaceMatcher) -> None:
    (outcome,) = restorer.restore(blurred, references=References([astronaut], matcher=matcher)).faces
    assert outcome.references is not None
    assert [(match.verdict, match.serves) for match in outcome.references.matches] == [("doubt", False)]
    assert outcome.warnings[-1].code == "reference.doubt"


def test_a_photograph_does_not_serve_itself(restorer: Restorer, astronaut: Image, matcher: FaceMatcher) -> None:
    (outcome,) = restorer.restore(astronaut, references=References([astronaut], matcher=matcher)).faces
    assert outcome.references is not None
    assert outcome.references.matches == ()
    assert outcome.warnings[-1].code == "reference.itself", "it was given, and gives nothing"


def test_files_and_folders_are_read_once_and_named(
    restorer: Restorer, blurred: Image, astronaut: Image, matcher: FaceMatcher, tmp_path: Path
) -> None:
    album = tmp_path / "album"
    (album / "1969").mkdir(parents=True)
    write_image(astronaut, album / "1969" / "sharp.png")
    (album / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    write_image(Image(pixels=np.full((64, 64, 3), 0.5, np.float32)), album / "grey.png")
    references = References([album], matcher=matcher, trusted=True)
    for _ in range(2):
        (outcome,) = restorer.restore(blurred, references=references).faces
        assert outcome.references is not None
        assert {gift.name for gift in outcome.references.gifts} == {"sharp.png"}
        (album / "1969" / "sharp.png").unlink(missing_ok=True)


def test_what_cannot_serve_is_refused_in_one_sentence(
    restorer: Restorer, blurred: Image, matcher: FaceMatcher, tmp_path: Path
) -> None:
    grey = Image(pixels=np.full((64, 64, 3), 0.5, np.float32))
    with pytest.raises(NoFaceError, match="photograph 1 shows no face"):
        restorer.restore(blurred, references=References([grey], matcher=matcher))
    write_image(grey, tmp_path / "grey.png")
    with pytest.raises(NoFaceError, match="none of the photographs shows a face"):
        References([tmp_path], matcher=matcher).prepare(restorer.detector, 64)
    with pytest.raises(ImageReadError, match=r"nowhere\.jpg: the reference cannot be found"):
        References(["nowhere.jpg"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageReadError, match="holds no picture"):
        References([tmp_path / "empty"])
    for wrong in ([], [3], "name.jpg"):
        with pytest.raises(ArgumentError):
            References(wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match=r"likeness\.References takes"):
        restorer.restore(blurred, references=[grey])  # pyright: ignore[reportArgumentType]


def test_a_person_is_in_a_picture_once(sitting: Sitting) -> None:
    photographs = {replace(sitting.reference): 0, replace(sitting.reference): 0, replace(sitting.reference): 1}
    left, right, other = photographs

    def match(reference: Reference, likeness: float) -> Match:
        return Match(reference=reference, likeness=likeness, verdict="same" if likeness > 0.8 else "other")

    faces = [
        [match(left, 0.95), match(other, 0.9), match(right, 0.85)],
        [match(left, 0.97), match(right, 0.4), match(other, 0.3)],
    ]
    first, second = assigned(faces, photographs, trusted=())
    assert [one.reference for one in first] == [other, right]
    assert [one.reference for one in second] == [left]
    (alone,) = assigned(faces[1:], photographs, trusted=set(photographs.values()))
    assert [one.reference for one in alone] == [left, other]
    assert alone[0].lent == 1 > alone[1].lent


def test_on_somebodys_word_a_photograph_lends_less(
    restorer: Restorer, astronaut: Image, matcher: FaceMatcher, projection: FaceProjection
) -> None:
    detector = MediaPipeDetector()
    (face,) = restorer.find_faces(astronaut)
    reference = prepare_reference(astronaut, face, matcher=matcher, side=projection.crop.shape[0], name="sharp")
    match = Match(reference=reference, likeness=0.1, verdict="other")
    full, less = (warped_for(projection, [one], detector) for one in (match, match.on_somebodys_word()))
    assert full is not None
    assert less is not None
    assert np.abs(full.detail).max() > 0.05
    np.testing.assert_allclose(less.detail, np.float32(0.4) * full.detail, atol=1e-6)
    np.testing.assert_allclose(less.shares, np.float32(0.4) * full.shares, atol=1e-6)
    assert 0.4 < replace(match, likeness=0.4).on_somebodys_word().lent < 1
    assert replace(match, likeness=0.6, verdict="doubt").on_somebodys_word().lent == 1


def test_without_a_reference_nothing_is_laid(projection: FaceProjection) -> None:
    assert warped_for(projection, [], MediaPipeDetector()) is None
    assert matches(np.eye(128, dtype=np.float32)[0], []) == ()


def test_a_photograph_may_be_read_by_whoever_has_it(
    restorer: Restorer, blurred: Image, astronaut: Image, matcher: FaceMatcher
) -> None:
    upload = Photograph(name="upload.jpg", read=lambda: astronaut)
    (outcome,) = restorer.restore(blurred, references=References([upload], matcher=matcher)).faces
    assert outcome.references is not None
    assert [match.name for match in outcome.references.matches] == ["upload.jpg"]
