"""Coverage-guided fuzzing of metadata, for as long as one likes: `python tests/fuzz/metadata_target.py FOLDER`.

It needs atheris (`pip install atheris`, Linux or macOS), which nothing else here does. The folder keeps the corpus, which
begins with a sound block of each part in each kind of file. An input is a byte for the kind of file, a byte for the part,
and the part's content; the file around it has right lengths and checksums. `-len_control=0` lets inputs be long at once.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests"), str(ROOT / "tests" / "imaging")]

with atheris.instrument_imports(include=["likeness.imaging"]):
    from mutations import KINDS, PARTS, sound_part, with_part

    from likeness.errors import ImageReadError, ImageTooLargeError
    from likeness.imaging.encode import encode_image
    from likeness.imaging.files import read_image

_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF")


def one_input(data: bytes) -> None:
    """Read a file, write what was read in one of the formats, and read that; whatever is raised is a fault."""
    if len(data) < 2:
        return
    kind, part = KINDS[data[0] % len(KINDS)], PARTS[data[1] % len(PARTS)]
    try:
        image = read_image(with_part(kind, part, data[2:]), max_pixels=1 << 20)
    except (ImageReadError, ImageTooLargeError):
        if not kind.startswith("TIFF"):  # there a field may say how samples are stored
            raise
        return
    read_image(encode_image(image, _FORMATS[sum(data) % len(_FORMATS)]))


def make_corpus(folder: Path) -> None:
    """A sound block of each part in each kind of file."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in range(len(KINDS)):
        for place, part in enumerate(PARTS):
            (folder / f"{KINDS[kind]}-{part}").write_bytes(bytes((kind, place)) + sound_part(part))


if __name__ == "__main__":
    logging.disable()
    for argument in sys.argv[1:]:
        if not argument.startswith("-"):
            make_corpus(Path(argument))
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
