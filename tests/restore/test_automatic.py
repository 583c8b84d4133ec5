"""Settings chosen from what a photograph shows: on one face, treated in ways whose signs are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Image, Size
from likeness.imaging.metadata_fields import MADE_BY_NETWORK
from likeness.messages.notice import LANGUAGES
from likeness.restore.automatic import Automatic, choose, measure_signs
from likeness.restore.config import Settings
from likeness.restore.controls import PRESETS, Controls
from likeness.restore.picture_options import PictureOptions, parts_of
from likeness.restore.pipeline import Restorer


@pytest.fixture(scope="module")
def portrait() -> Image:
    """A real face, 512 x 512, softer than a camera's own pixels."""
    image = read_image(Path(__file__).parents[1] / "data" / "astronaut.jpg")
    return Image(pixels=np.clip(resize(image.pixels, Size(512, 512), "cubic"), 0, 1, dtype=np.float32))


@pytest.fixture(scope="module")
def face(portrait: Image) -> Face:
    return max(MediaPipeDetector().detect(portrait), key=lambda face: face.box.area)


def _codes(image: Image, face: Face) -> set[str]:
    return {reason.code for reason in choose(image, [face]).reasons}


def _noisy(image: Image, levels: float, *, colour: bool) -> Image:
    noise = np.random.default_rng(1).standard_normal((512, 512, 3 if colour else 1)).astype(np.float32)
    return Image(pixels=np.clip(image.pixels + noise * np.float32(levels / 255), 0, 1).astype(np.float32))


def test_grain_and_colour_noise_are_told_apart(portrait: Image, face: Face) -> None:
    assert "auto.grain" in _codes(_noisy(portrait, 12, colour=False), face)
    assert "auto.colour-noise" in _codes(_noisy(portrait, 12, colour=True), face)
    assert not {"auto.grain", "auto.colour-noise"} & _codes(portrait, face)


def test_compression_is_found(portrait: Image, face: Face) -> None:
    coded = read_image(encode_image(portrait, "JPEG", quality=15), name="a JPEG")
    assert measure_signs(coded, face).cells > 2 * measure_signs(portrait, face).cells
    assert "auto.cells" in _codes(coded, face)


def test_a_blurred_face_and_a_dark_one_are_told(portrait: Image, face: Face) -> None:
    blurred = Image(pixels=gaussian_blur(portrait.pixels, 9))
    assert "auto.blurred" in _codes(blurred, face)
    assert "auto.dark" in _codes(Image(pixels=portrait.pixels * np.float32(0.35)), face)
    assert not {"auto.blurred", "auto.dark"} & _codes(portrait, face)


def test_sharpening_raises_the_halo(portrait: Image, face: Face) -> None:
    soft = gaussian_blur(portrait.pixels, 1.5)
    sharpened = np.clip(soft + 1.5 * (soft - gaussian_blur(soft, 2.5)), 0, 1, dtype=np.float32)
    assert measure_signs(Image(pixels=sharpened), face).halo > 1.5 * measure_signs(Image(pixels=soft), face).halo


def test_what_a_generator_made_is_known_by_its_file(portrait: Image, face: Face) -> None:
    made = replace(portrait, metadata=replace(portrait.metadata, source_type=MADE_BY_NETWORK))
    choice = choose(made, [face])
    assert (choice.preset, choice.controls) == ("ai-portrait", PRESETS["ai-portrait"])
    assert "auto.generated" in _codes(made, face)


def test_the_choice_is_told_in_every_language(portrait: Image, face: Face) -> None:
    choice = choose(_noisy(portrait, 12, colour=False), [face])
    assert choice.preset in choice.sentence
    assert "grain of " in choice.sentence
    told = choice.to_dict()
    assert told["notice"]["code"] == "auto.chosen"
    assert len({choice.sentence.say(language) for language in LANGUAGES}) == len(LANGUAGES)


def test_without_a_face_nothing_is_measured(portrait: Image) -> None:
    choice = choose(portrait, [])
    assert choice.controls == Controls.standard()
    assert [reason.code for reason in choice.reasons] == ["auto.unmeasured"]
    assert choice.signs is None


def test_what_is_set_by_hand_stays(portrait: Image, face: Face) -> None:
    options = PictureOptions(**parts_of(Settings({"preset": "auto", "latent_step_decay": 0.1, "strength": 0.5})))
    assert options.by_hand == ("latent_step_decay", "strength")
    made = replace(portrait, metadata=replace(portrait.metadata, source_type=MADE_BY_NETWORK))
    asked = options.asked
    assert isinstance(asked, Automatic)
    chosen = asked.choose(made, [face]).controls
    assert (chosen.latent_step_decay, chosen.strength) == (0.1, 0.5)
    assert chosen.face_mask_weights == PRESETS["ai-portrait"].face_mask_weights


def test_settings_come_back_as_they_were_written() -> None:
    """A default that was set by hand as well: it is no longer for the choice to make."""
    written = Settings({"preset": "auto", "latent_step_decay": 0.1})
    options = PictureOptions(**parts_of(written))
    assert options.to_settings() == written
    assert PictureOptions(**parts_of(Settings())).by_hand is None


def test_a_control_that_is_none_cannot_be_set_by_hand() -> None:
    with pytest.raises(ValueError, match="glamour"):
        Automatic(by_hand=("glamour",))


def test_a_picture_is_restored_as_was_chosen(tiny_model: Path, portrait: Image) -> None:
    restorer = Restorer(tiny_model, device="cpu", precision="f32")
    done = restorer.restore(portrait, "auto", verdicts=False)
    assert done.chosen is not None
    assert done.controls == done.chosen.controls
    again = restorer.restore(portrait, done.controls, verdicts=False)
    assert again.chosen is None
    assert np.array_equal(done.image.pixels, again.image.pixels)
