from __future__ import annotations

import io
import struct
import tracemalloc

import pytest
from PIL import Image as PillowImage

from likeness.imaging.exif import (
    clean_exif,
    dots_per_inch,
    exif_from_resolution,
    exif_from_tiff,
    exif_with_resolution,
    exif_with_size,
    exif_without_orientation,
    orientation,
    read_directory,
)
from likeness.imaging.image import Size

_MAKER_NOTE = b"Canon\0\0\0private \x12\x34 notes"


def _block(turn: int = 6) -> bytes:
    exif = PillowImage.Exif()
    exif[0x010F] = "Likeness Camera Works"
    exif[0x0112] = turn
    exif[0x011A], exif[0x011B], exif[0x0128] = 300.0, 300.0, 2
    exif[0x8769] = {0x9003: "1972:05:04 03:02:01", 0xA002: 4000, 0xA003: 3000, 0x927C: _MAKER_NOTE}
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0)}
    return exif.tobytes()


def _with_thumbnail(block: bytes) -> tuple[bytes, bytes]:
    """The block with a second directory that points to a JPEG thumbnail."""
    stream = io.BytesIO()
    PillowImage.new("RGB", (16, 12), "red").save(stream, "JPEG")
    jpeg = stream.getvalue()
    body = bytearray(block[6:])
    order = "<" if body.startswith(b"II") else ">"
    (first,) = struct.unpack_from(f"{order}I", body, 4)
    (count,) = struct.unpack_from(f"{order}H", body, first)
    body += bytes(len(body) % 2)
    struct.pack_into(f"{order}I", body, first + 2 + 12 * count, len(body))
    place = len(body) + 2 + 24 + 4
    body += struct.pack(f"{order}HHHIIHHIII", 2, 0x0201, 4, 1, place, 0x0202, 4, 1, len(jpeg), 0)
    return b"Exif\0\0" + bytes(body) + jpeg, jpeg


def test_orientation_is_reset_and_nothing_else_moves() -> None:
    block = _block(turn=6)
    cleaned = clean_exif(block)
    assert cleaned is not None
    assert (orientation(block), orientation(cleaned)) == (6, 1)
    before, after = block[6:], cleaned
    assert len(before) == len(after)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    exif = PillowImage.Exif()
    exif.load(cleaned)
    assert exif[0x010F] == "Likeness Camera Works"
    assert exif.get_ifd(0x8769)[0x927C] == _MAKER_NOTE
    assert exif.get_ifd(0x8825)[2] == (48.0, 51.0, 29.0)


def test_the_thumbnail_goes() -> None:
    block, jpeg = _with_thumbnail(_block())
    assert jpeg in block
    cleaned = clean_exif(block)
    assert cleaned is not None
    assert b"\xff\xd8\xff" not in cleaned
    exif = PillowImage.Exif()
    exif.load(cleaned)
    assert exif.get_ifd(1) == {}  # IFD1, the thumbnail's
    assert exif[0x010F] == "Likeness Camera Works"


def test_dimensions_follow_the_picture() -> None:
    cleaned = clean_exif(_block())
    assert cleaned is not None
    exif = PillowImage.Exif()
    exif.load(exif_with_size(cleaned, Size(3000, 70000)))
    assert exif.get_ifd(0x8769)[0xA002] == 3000
    assert exif.get_ifd(0x8769)[0xA003] == 70000
    assert 0x0100 not in exif  # nothing is added
    stated = PillowImage.Exif()
    stated[0x0100], stated[0x0101] = 4000, 3000
    exif.load(exif_with_size(stated.tobytes()[6:], Size(3000, 70000)))
    assert (exif[0x0100], exif[0x0101]) == (3000, 70000)


def test_resolution() -> None:
    assert dots_per_inch(clean_exif(_block())) == (300, 300)
    assert dots_per_inch(exif_from_resolution(600, 599.5)) == (600, 599.5)
    assert dots_per_inch(None) is None


@pytest.mark.parametrize("junk", [b"", b"Exif\0\0", b"no exif at all", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08"])
def test_damaged_blocks_say_nothing(junk: bytes) -> None:
    assert orientation(junk) is None
    assert dots_per_inch(junk) is None
    assert exif_with_size(junk, Size(5, 5)) == junk
    assert clean_exif(junk) is None


def test_a_block_cut_anywhere_gives_a_sound_one_of_what_is_left() -> None:
    block, _ = _with_thumbnail(_block())
    kept = 0
    for length in range(6, len(block), 3):
        cleaned = clean_exif(block[:length])
        if cleaned is None:
            continue
        exif = PillowImage.Exif()
        exif.load(cleaned)  # its warnings about damage are errors here
        assert set(exif) <= {0x010F, 0x0112, 0x011A, 0x011B, 0x0128, 0x8769, 0x8825}
        assert exif.get(0x0112, 1) == 1
        kept += 1
    assert kept > 50


def test_directories_that_point_at_themselves_end() -> None:
    block = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 8, 0)
    assert read_directory(io.BytesIO(block)) == ("<", {})
    assert clean_exif(block) is None


def test_many_fields_that_share_their_values_cost_no_more_than_the_block() -> None:
    """5000 fields, of which each claims the same 60 kB: 300 MB."""
    count = 5000
    entries = b"".join(struct.pack("<HHII", 1000 + index, 7, 60000, 8) for index in range(count))
    block = b"II*\0" + struct.pack("<IH", 8, count) + entries + bytes(4)
    tracemalloc.start()
    cleaned = clean_exif(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert cleaned is not None
    assert len(cleaned) < 1.1 * len(block)
    assert peak < 10 * len(block)


def test_a_damaged_block_is_written_anew_without_private_notes(caplog: pytest.LogCaptureFixture) -> None:
    block = bytearray(_block()[6:])
    at = (
        block.index(struct.pack("<HH", 0x010F, 2))
        if block.startswith(b"II")
        else block.index(struct.pack(">HH", 0x010F, 2))
    )
    block[at + 8 : at + 12] = b"\x7f\xff\xff\x7f"  # the maker's name lies far outside
    cleaned = clean_exif(bytes(block))
    assert cleaned is not None
    exif = PillowImage.Exif()
    exif.load(cleaned)
    assert 0x010F not in exif
    photo = exif.get_ifd(0x8769)
    assert photo[0x9003] == "1972:05:04 03:02:01"
    assert 0x927C not in photo
    assert "damaged" in caplog.text
    assert "maker's notes" in caplog.text
    assert clean_exif(cleaned) == cleaned


def test_a_resolution_is_added_and_nothing_moves() -> None:
    exif = PillowImage.Exif()
    exif[0x010F] = "Maker"
    exif[0x8769] = {0x927C: _MAKER_NOTE}
    cleaned = clean_exif(exif.tobytes())
    assert cleaned is not None
    block = exif_with_resolution(cleaned, 300, 240.5)
    assert block.startswith(cleaned[:4])
    assert block[8 : len(cleaned)] == cleaned[8:]
    assert dots_per_inch(block) == (300, 240.5)
    assert clean_exif(block) == block
    read = PillowImage.Exif()
    read.load(block)
    assert read[0x010F] == "Maker"
    assert read.get_ifd(0x8769)[0x927C] == _MAKER_NOTE


def test_the_orientation_can_be_taken_out() -> None:
    cleaned = clean_exif(_block())
    assert cleaned is not None
    block = exif_without_orientation(cleaned)
    assert block is not None
    exif = PillowImage.Exif()
    exif.load(block)
    assert 0x0112 not in exif
    assert exif.get_ifd(0x8769)[0x927C] == _MAKER_NOTE
    only = PillowImage.Exif()
    only[0x0112] = 6
    alone = clean_exif(only.tobytes())
    assert alone is not None
    assert exif_without_orientation(alone) is None


def test_a_tiff_file_gives_what_describes_the_photograph() -> None:
    exif = PillowImage.Exif()
    exif[0x010F], exif[0x8298] = "Scanner", "© Müller"
    exif[0x8769] = {0x9003: "1972:05:04 03:02:01"}
    stream = io.BytesIO()
    PillowImage.new("RGB", (8, 6)).save(stream, "TIFF", exif=exif.tobytes(), dpi=(1200, 1200))
    block = exif_from_tiff(stream)
    assert block is not None
    read = PillowImage.Exif()
    read.load(block)
    assert read[0x010F] == "Scanner"
    assert read.get_ifd(0x8769)[0x9003] == "1972:05:04 03:02:01"
    assert dots_per_inch(block) == (1200, 1200)
    assert 0x0100 not in read  # how the samples are stored is another file's business
    assert 0x0111 not in read
