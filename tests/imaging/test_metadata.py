"""What files say beside their pixels: kept where the format can hold it, else said in a line; never untrue of the result."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import PngImagePlugin

from likeness.imaging.encode import encode_image
from likeness.imaging.exif import dots_per_inch
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image, Size
from likeness.imaging.metadata.iptc import iptc_from_resources, resources_from_iptc, sound_iptc
from likeness.imaging.metadata.xmp import clean_xmp, xmp_orientation, xmp_source_type, xmp_with_size
from likeness.imaging.metadata_fields import EDITED_BY_NETWORK, Metadata

DATA = Path(__file__).parents[1] / "data"

_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""\n'
    '  xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:subject><rdf:Bag><rdf:li>Großmutter</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="w"?>'
).encode()
_IPTC = b"".join(
    b"\x1c\x02" + struct.pack(">BH", kind, len(text)) + text
    for kind, text in ((25, b"grandmother"), (80, b"A. Photographer"))
)
_TEXT = (("parameters", "portrait, 奶奶\nSteps: 20, Seed: 1"), ("Title", "Grossmutter"))


def _image(**fields: Any) -> Image:
    pixels = np.random.default_rng(3).random((20, 30, 3)).astype(np.float32)
    return Image(pixels=pixels, metadata=Metadata(**fields))


def _pillow(data: bytes) -> PillowImage.Image:
    picture = PillowImage.open(io.BytesIO(data))
    picture.load()
    return picture


def _saved(kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    PillowImage.new("RGB", (30, 20), (200, 150, 120)).save(stream, kind, **options)
    return stream.getvalue()


# --- kept -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WebP", "AVIF"])
def test_xmp_is_kept_and_other_programs_see_it(kind: str) -> None:
    data = encode_image(_image(xmp=_XMP), kind)
    assert _pillow(data).info["xmp"].rstrip(b"\0") == _XMP
    assert read_image(data).metadata.xmp == _XMP


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_iptc_is_kept(kind: str) -> None:
    data = encode_image(_image(iptc=_IPTC), kind)
    assert read_image(data).metadata.iptc == _IPTC
    if kind == "JPEG":
        assert _pillow(data).info["photoshop"] == {0x0404: _IPTC}
    elif kind == "TIFF":
        assert _pillow(data).tag_v2[0x83BB] == _IPTC  # type: ignore[attr-defined]


def test_iptc_loses_the_preview_of_before_and_nothing_else() -> None:
    small = b"\xff\xd8 a small JPEG of how it was"
    preview = b"".join(
        b"\x1c\x02" + struct.pack(">BH", kind, len(value)) + value
        for kind, value in ((200, b"\0\x0b"), (201, b"\0\x01"))
    )
    extended = b"\x1c\x02\xca" + struct.pack(">HI", 0x8004, len(small)) + small
    assert sound_iptc(_IPTC + preview + extended + _IPTC) == _IPTC + _IPTC
    assert sound_iptc(preview) is None


def test_a_long_caption_goes_over_several_segments() -> None:
    long = b"\x1c\x02\x78" + struct.pack(">H", 30000) + b"x" * 30000
    data = encode_image(_image(iptc=long * 4), "JPEG")
    assert read_image(data).metadata.iptc == long * 4


def test_texts_of_png_are_kept_and_other_programs_see_them() -> None:
    data = encode_image(_image(text=_TEXT), "PNG")
    picture = _pillow(data)
    assert isinstance(picture, PngImagePlugin.PngImageFile)
    assert picture.text == dict(_TEXT)
    assert read_image(data).metadata.text == _TEXT
    wide = encode_image(read_image(data), "PNG", bit_depth=16)
    assert read_image(wide).metadata.text == _TEXT


def test_a_jpeg_comment_is_kept_and_is_a_text_in_png() -> None:
    image = read_image(_saved("JPEG", comment="my comment"))
    assert image.metadata.comment == b"my comment"
    assert _pillow(encode_image(image, "JPEG")).info["comment"] == b"my comment"
    as_png = encode_image(image, "PNG")
    assert _pillow(as_png).info["Comment"] == "my comment"
    assert _pillow(encode_image(read_image(as_png), "JPEG")).info["comment"] == b"my comment"


def test_exif_that_stands_twice_counts_once() -> None:
    """Put together two blocks were too long for a JPEG file, and the result had none."""
    exif = PillowImage.Exif()
    exif[0x010E] = "grandmother"
    exif[0x927C] = bytes(40_000)
    once = _saved("JPEG", exif=exif)
    (length,) = struct.unpack(">H", once[once.index(b"Exif") - 2 : once.index(b"Exif")])
    start = once.index(b"Exif") - 4
    segment = once[start : start + 2 + length]
    twice = once[:start] + segment + once[start:]
    assert read_image(twice).exif == read_image(once).exif
    written = encode_image(read_image(twice), "JPEG")
    assert _pillow(written).getexif()[0x010E] == "grandmother"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WebP", "AVIF"])
@pytest.mark.parametrize("source", ["JPEG", "PNG"])
def test_a_resolution_beside_exif_is_kept(source: str, kind: str) -> None:
    """The header says 300 dpi, and the EXIF block says something else or nothing about it."""
    exif = PillowImage.Exif()
    exif[0x8298] = "(c) Ann"
    image = read_image(_saved(source, dpi=(300, 300), exif=exif))
    data = encode_image(image, kind)
    again = read_image(data)
    dpi = again.metadata.resolution or dots_per_inch(again.exif)
    assert dpi is not None
    assert [round(value) for value in dpi] == [300, 300]
    assert _pillow(data).getexif()[0x8298] == "(c) Ann"
    if kind in ("JPEG", "PNG", "TIFF"):
        assert [round(value) for value in _pillow(data).info["dpi"]] == [300, 300]


def test_the_headers_resolution_stays_when_exif_says_another() -> None:
    exif = PillowImage.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 72.0, 72.0, 2
    data = encode_image(read_image(_saved("JPEG", dpi=(600, 600), exif=exif)), "JPEG")
    assert _pillow(data).info["dpi"] == (600, 600)
    assert _pillow(data).getexif()[0x011A] == 72.0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WebP", "AVIF", "BMP"])
def test_nothing_is_added(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    image = read_image(_saved("PNG"))
    assert (image.exif, image.icc_profile, image.metadata) == (None, None, Metadata())
    data = encode_image(image, kind)
    again = read_image(data)
    assert (again.exif, again.icc_profile, again.metadata) == (None, None, Metadata())
    assert not set(_pillow(data).info) & {"exif", "xmp", "comment", "photoshop", "Software", "icc_profile"}
    assert not caplog.records


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("JPEG", ["'parameters'", "'Title'"]),
        ("TIFF", ["its comment", "'parameters'"]),
        ("WebP", ["IPTC", "its comment", "'parameters'"]),
        ("AVIF", ["IPTC", "its comment"]),
        ("BMP", ["XMP", "IPTC", "its comment"]),
        ("PNG", []),
    ],
)
def test_one_line_says_what_a_format_cannot_hold(
    kind: str, missing: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    encode_image(_image(xmp=_XMP, iptc=_IPTC, comment=b"a comment", text=_TEXT), kind)
    assert len(caplog.records) == bool(missing)
    assert all(word in caplog.text for word in missing)


def test_xmp_too_long_for_jpeg_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    padded = _XMP.replace(b"<?xpacket end", b" " * 70000 + b"<?xpacket end")
    assert "xmp" not in _pillow(encode_image(_image(xmp=padded), "JPEG")).info
    assert "too long" in caplog.text
    assert read_image(encode_image(_image(xmp=_XMP + b" " * 70000), "JPEG")).metadata.xmp == _XMP


# --- what would be untrue of the result -------------------------------------------------------------------------------

_STALE = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:t="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:note="http://ns.adobe.com/xmp/note/" note:HasExtendedXMP='0123'
 xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" t:Orientation = "6" xmp:Label="a > b">
<t:ImageWidth>4000</t:ImageWidth><exif:PixelYDimension>3000</exif:PixelYDimension>
<xmp:Thumbnails><rdf:Alt><rdf:li>AAAA<xmp:Thumbnails/></rdf:li></rdf:Alt></xmp:Thumbnails><hdrgm:OffsetSDR/><xmp:Rating>3</xmp:Rating>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def test_xmp_loses_what_would_be_untrue_and_nothing_else() -> None:
    assert xmp_orientation(_STALE) == 6
    expected = (
        _STALE.replace(b" note:HasExtendedXMP='0123'", b"")
        .replace(b' hdrgm:Version="1.0"', b"")
        .replace(b't:Orientation = "6"', b't:Orientation = "1"')
        .replace(b"<xmp:Thumbnails><rdf:Alt><rdf:li>AAAA<xmp:Thumbnails/></rdf:li></rdf:Alt></xmp:Thumbnails>", b"")
        .replace(b"<hdrgm:OffsetSDR/>", b"")
    )
    cleaned = clean_xmp(_STALE)
    assert cleaned is not None
    assert [line.strip() for line in cleaned.splitlines()] == [line.strip() for line in expected.splitlines()]
    sized = xmp_with_size(cleaned, Size(30, 20))
    assert sized == cleaned.replace(b">4000<", b">30<").replace(b">3000<", b">20<")
    assert clean_xmp(_XMP) == _XMP


_OLD = b"http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
_RDF = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">%s</r:RDF></x:xmpmeta>'
_SAID = b"<r:Description r:about='me' xmlns:e='http://iptc.org/std/Iptc4xmpExt/2008-02-29/' e:City='Here'"


@pytest.mark.parametrize(
    "packet",
    [
        None,
        _XMP,
        _RDF % (_SAID + b"/>"),
        _RDF % (_SAID + b" e:DigitalSourceType='" + _OLD + b"'/>"),
        _RDF % (_SAID + b"><e:DigitalSourceType>" + _OLD + b"</e:DigitalSourceType></r:Description>"),
        _RDF % (_SAID + b"><e:DigitalSourceType r:resource='" + _OLD + b"'/></r:Description>"),
        _RDF.replace(b">%s</r:RDF>", b"/>"),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WebP", "AVIF"])
def test_where_an_image_comes_from_is_said_once(packet: bytes | None, kind: str) -> None:
    assert xmp_source_type(packet) == (_OLD.decode() if packet and _OLD in packet else None)
    image = _image(xmp=packet, source_type=EDITED_BY_NETWORK)
    for _ in range(2):  # what was said before gives way, also what we said ourselves
        written = read_image(encode_image(image, kind)).metadata.xmp
        assert written is not None
        root = ElementTree.fromstring(written)
        space, rdf = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}", "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
        found = [one.text for one in root.iter(f"{space}DigitalSourceType")]
        assert found == [EDITED_BY_NETWORK]
        assert _OLD not in written
        assert (b"City" in written) == (packet is not None and b"City" in packet)
        about = {one.get(f"{rdf}about") for one in root.iter(f"{rdf}Description")} - {None}
        assert len(about) == 1, "the descriptions of a packet are about one thing"
        image = read_image(encode_image(image, kind))
        assert image.metadata.source_type == EDITED_BY_NETWORK


def test_bmp_has_no_place_for_it_and_nothing_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    encode_image(_image(source_type=EDITED_BY_NETWORK), "BMP")
    assert not caplog.records


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"no xml",
        _XMP[:-40],
        _XMP.decode().encode("utf-16"),
        b'<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>',
        b"<a>" * 300 + b"</a>" * 300,
        _XMP.replace("ß".encode(), b"\xdf"),
    ],
)
def test_xmp_that_is_not_sound_is_not_kept(packet: bytes) -> None:
    assert clean_xmp(packet) is None


def test_many_elements_take_no_time() -> None:
    packet = b"<a>" + b"<b/>" * 500_000 + b"</a>"
    began = time.process_time()
    assert clean_xmp(packet) is None
    assert time.process_time() - began < 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WebP"])
def test_orientation_that_only_xmp_says_is_applied(kind: str) -> None:
    packet = _XMP.replace(
        b"xmp:Rating=", b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" xmp:Rating='
    )
    data = encode_image(_image(), kind)
    turned = read_image(_with_xmp(data, kind, packet))
    assert turned.size == Size(20, 30)
    assert turned.metadata.xmp == packet.replace(b'Orientation="6"', b'Orientation="1"')
    assert read_image(encode_image(turned, kind)).size == Size(20, 30)


def _with_xmp(data: bytes, kind: str, packet: bytes) -> bytes:
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        return _saved_again(data, kind, pnginfo=info)
    if kind == "TIFF":
        return _saved_again(data, kind, tiffinfo={700: packet})
    return _saved_again(data, kind, xmp=packet)


def _saved_again(data: bytes, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    _pillow(data).save(stream, kind, **options)
    return stream.getvalue()


def test_iptc_among_photoshops_resources() -> None:
    thumbnail = b"8BIM" + struct.pack(">HBxI", 0x040C, 0, 5) + b"jpeg!\0"
    named = b"8BIM" + struct.pack(">HB", 0x03F3, 3) + b"abc" + struct.pack(">I", 2) + b"zz"
    assert iptc_from_resources(thumbnail + named + resources_from_iptc(_IPTC)) == _IPTC
    assert iptc_from_resources(thumbnail) is None
    assert iptc_from_resources(b"8BIM") is None
    assert sound_iptc(_IPTC + b"\0\0\0") == _IPTC
    assert sound_iptc(_IPTC[:-1]) == _IPTC[:16]
    assert sound_iptc(b"junk") is None


# --- files that want to hurt ------------------------------------------------------------------------------------------


def _cost(data: bytes) -> tuple[float, float]:
    """Seconds, and bytes of memory per byte of the file, that reading takes and writing as every format after it."""
    for kind in ("JPEG", "PNG", "TIFF", "WebP", "AVIF"):  # what is loaded at first use is no cost of this file
        read_image(encode_image(_image(), kind))
    began = time.process_time()
    tracemalloc.start()
    image = read_image(data)
    for kind in ("JPEG", "PNG", "TIFF", "WebP", "AVIF"):
        encode_image(image, kind)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return time.process_time() - began, peak / len(data)


def _bomb(count: int, size: int) -> bytes:
    """An EXIF block of many fields that all point at the same bytes."""
    entries = b"".join(struct.pack("<HHII", 1000 + index, 7, size, 8) for index in range(count))
    return (b"II*\0" + struct.pack("<IH", 8, count) + entries + bytes(4)).ljust(size + 8, b"x")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "JPEG after junk", "WebP", "AVIF", "TIFF", "TIFF of many pages"])
def test_directories_whose_fields_share_their_bytes(kind: str) -> None:
    block = _bomb(5000, 60000)
    if kind == "PNG":
        plain = _saved("PNG")
        data = plain[:33] + _chunk(b"eXIf", block) + plain[33:]
    elif kind.startswith("JPEG"):
        plain = _saved("JPEG")
        junk = b"junk\xff\0" if "junk" in kind else b""
        pieces = [block[at : at + 65000] for at in range(0, len(block), 65000)]
        segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(piece) + 8) + b"Exif\0\0" + piece for piece in pieces)
        data = plain[:20] + junk + segments + plain[20:]
    elif kind == "WebP":
        plain = _saved("WEBP")
        canvas = struct.pack("<4sII", b"VP8X", 10, 8) + struct.pack("<I", 29)[:3] + struct.pack("<I", 19)[:3]
        body = b"WEBP" + canvas + plain[12:] + b"EXIF" + struct.pack("<I", len(block)) + block
        data = b"RIFF" + struct.pack("<I", len(body)) + body
    elif kind == "AVIF":
        sound = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x010E, 2, len(block) - 26, 26, 0)
        sound = sound.ljust(len(block), b"x")
        data = _saved("AVIF", exif=sound).replace(sound, block)
        assert block in data
    else:
        data = _tiff_bomb(4000, 120_000, pages=1 if kind == "TIFF" else 20)
    seconds, share = _cost(data)
    assert share < 10
    assert seconds < 1


def _tiff_bomb(count: int, size: int, pages: int) -> bytes:
    """A TIFF file whose directories hold thousands of fields of private kinds that share their bytes."""
    width, height = 16, 16
    data = bytearray(b"II*\0" + bytes(4) + bytes(width * height))
    data += bytes(size)
    link = 4
    for _ in range(pages):
        start = len(data)
        struct.pack_into("<I", data, link, start)
        storage = (
            (256, width),
            (257, height),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, 8),
            (277, 1),
            (278, height),
            (279, 256),
        )
        entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in storage]
        entries += [struct.pack("<HHII", 40000 + index, 7, size, 8) for index in range(count // pages)]
        data += struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
        link = len(data) - 4
    return bytes(data)


def test_a_text_that_unpacks_to_gigabytes_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    plain = _saved("PNG")
    text = _chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(range(1, 256)) * 200_000, 9))
    image = read_image(plain[:33] + text * 50 + _chunk(b"tEXt", b"Title\0kept") + plain[33:])
    assert image.metadata.text == (("Title", "kept"),)
    assert "8 MB" in caplog.text


def test_profiles_of_a_thousand_tags_are_not_copied_for_each() -> None:
    size = 200_000
    head = struct.pack(">I", size).ljust(16, b"\0") + b"RGB XYZ " + bytes(12) + b"acsp"
    tags = b"".join(struct.pack(">4sII", b"%04d" % index, 0, size) for index in range(1000))
    profile = (head.ljust(128, b"\0") + struct.pack(">I", 1000) + tags).ljust(size, b"\0")
    tracemalloc.start()
    image = read_image(_saved("JPEG", icc_profile=profile))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert image.icc_profile is None
    assert image.profile_fault
    assert peak < 10 * size


@pytest.mark.parametrize("value", [0xFFFFFFFF, 0x7FFFFFFF, 0])
def test_a_resolution_beyond_reason_is_none(value: int) -> None:
    plain = _saved("PNG")
    image = read_image(plain[:33] + _chunk(b"pHYs", struct.pack(">IIB", value, value, 1)) + plain[33:])
    assert image.metadata.resolution is None
    assert read_image(encode_image(image, "TIFF")).exif is None


def test_a_profile_that_is_a_number_is_none() -> None:
    data = _tiff_bomb(0, 0, pages=1)
    place = struct.unpack_from("<I", data, 4)[0]
    entries = data[place + 2 : -4] + struct.pack("<HHII", 34675, 4, 1, 9)
    image = read_image(data[:place] + struct.pack("<H", 10) + entries + bytes(4))
    assert image.size == Size(16, 16)
    assert image.icc_profile is None


def test_what_a_tiff_says_about_its_samples_is_not_taken_from_exif() -> None:
    """Storage fields in an EXIF block's first directory: the TIFF that is written has its own."""
    exif = PillowImage.Exif()
    exif[0x0140], exif[0x0142], exif[0x0143], exif[0x0102], exif[0x010F] = (1, 2, 3), 7, 7, (1, 9, 1), "Maker"
    image = read_image(_saved("JPEG", exif=exif))
    again = read_image(encode_image(image, "TIFF"))
    assert again.exif is not None
    assert b"Maker" in again.exif
    assert np.array_equal(again.pixels, image.pixels)


def test_the_orientation_of_a_bigtiff_is_applied() -> None:
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(
        stream, np.zeros((20, 30, 3), np.uint8), bigtiff=True, photometric="rgb", metadata=None, software=False,
        extratags=[(274, 3, 1, 6, True)],
    )  # fmt: skip
    assert read_image(stream.getvalue()).size == Size(20, 30)


def test_a_kind_of_item_that_is_no_text_does_not_end_the_process() -> None:
    """The Python binding of libheif uses a null pointer where an item that describes the picture is of such a kind."""
    data = (DATA / "quadrants-turned.heic").read_bytes()
    place = data.index(b"Exif")
    data = data[:place] + b"E\x80if" + data[place + 4 :]
    code = (
        "import sys; from likeness import ImageReadError, read_image\n"
        "try:\n    read_image(sys.stdin.buffer)\nexcept ImageReadError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"the kind of an item is no text" in done.stdout


@pytest.mark.parametrize("letter", ["e", "照"])
def test_a_long_text_is_compressed_and_comes_back(letter: str, tmp_path: Path) -> None:
    """A ComfyUI workflow may have megabytes of text that repeats itself."""
    image = Image(pixels=np.zeros((8, 8, 3), np.float32), metadata=Metadata(text=(("workflow", letter * 200_000),)))
    write_image(image, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 10_000
    assert read_image(tmp_path / "a.png").metadata == image.metadata
