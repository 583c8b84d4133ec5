from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import ImageFont, features

from likeness.errors import ConfigError
from likeness.messages.notice import LANGUAGES, catalogue
from likeness.studio import fonts
from likeness.studio.fonts import find_typeface

RARE = "龘靐"


def test_the_built_in_font_has_every_built_in_word_in_two_weights() -> None:
    for language in LANGUAGES:
        # The captions, too: where they need a font of the system, a proof cannot be drawn on a computer that has none.
        said = (text for code, text in catalogue(language).items() if code.startswith(("proof.", "preset.")))
        text = re.sub(r"\{[^}]*\}", "", "".join(said))
        face = find_typeface(text)
        assert face.name == "Noto Sans CJK SC"
        assert face.missing(text) == ""
        regular, bold = (face.at(40, bold=weight).getmask(text) for weight in (False, True))
        assert sum(bytes(bold)) > 1.1 * sum(bytes(regular))


def test_letters_of_western_europe_are_there() -> None:
    assert find_typeface("Müller & Søn, “Ateliér” Muñoz, Français – 12 × 18 cm · ½ ΔE").name == "Noto Sans CJK SC"


def test_hebrew_runs_from_right_to_left(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    if not (features.check("raqm") and features.check("fribidi")):
        pytest.skip("no FriBiDi is installed")
    dejavu = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    monkeypatch.setattr(fonts, "_folders", lambda: [dejavu])
    face = find_typeface("אב")
    drawn, mirrored = (bytes(face.at(40, text=text).getmask(shown)) for text, shown in (("אב", "אב"), ("", "בא")))
    assert drawn == mirrored
    # Other text is laid out as ever.
    assert bytes(face.at(40, text="Ada").getmask("Ada")) == bytes(face.at(40).getmask("Ada"))


def test_missing_characters_are_named_and_no_boxes_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fonts, "_folders", lambda: [tmp_path])
    with pytest.raises(ConfigError, match=f"no font on this system has the characters “[{RARE}]{{2}}”; install one"):
        find_typeface(f"Studio {RARE}")


def test_a_font_of_the_system_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A font with Greek, which the built-in one has not, stands for the system's Chinese one.
    import matplotlib

    dejavu = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "font.ttf").write_bytes(dejavu.read_bytes())
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    monkeypatch.setattr(fonts, "_folders", lambda: [tmp_path])
    face = find_typeface("Φωτογραφία")
    assert face.name == "DejaVu Sans"
    assert isinstance(face.at(20), ImageFont.FreeTypeFont)


def test_a_named_font_is_taken_or_refused(tmp_path: Path) -> None:
    import matplotlib

    dejavu = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    assert find_typeface("Before", dejavu).name == "DejaVu Sans"
    with pytest.raises(ConfigError, match=r"DejaVuSans\.ttf lacks the characters “修前复”"):
        find_typeface("修复前", dejavu)
    with pytest.raises(ConfigError, match="does not exist"):
        find_typeface("a", tmp_path / "missing.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(ConfigError, match="is no font file"):
        find_typeface("a", tmp_path / "broken.ttf")
