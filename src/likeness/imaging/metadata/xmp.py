"""XMP packets: what would be untrue of the result is taken out, what it is may be added, and nothing else changes.

A packet is changed by its bytes, at the places where the parser found an element or an attribute, so that everything else
stays as its program wrote it. Source: XMP specification, parts 1 to 3 (ISO 16684-1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from likeness.imaging.geometry import Size

__all__ = [
    "clean_xmp",
    "xmp_orientation",
    "xmp_source_type",
    "xmp_turned",
    "xmp_with_size",
    "xmp_with_source_type",
    "xmp_without_regions",
]

_TIFF, _EXIF, _XMP = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/", "http://ns.adobe.com/xap/1.0/"
_ORIENTATION = (_TIFF, "Orientation")
_WIDTHS = ((_TIFF, "ImageWidth"), (_EXIF, "PixelXDimension"))
_HEIGHTS = ((_TIFF, "ImageLength"), (_EXIF, "PixelYDimension"))
# Small pictures of how it was, and what says that more lies in the file: extended XMP, gain maps, depth, films.
_STALE = ((_XMP, "Thumbnails"), ("http://ns.adobe.com/xmp/note/", "HasExtendedXMP"))
_STALE_SPACES = frozenset(
    {
        "http://ns.adobe.com/hdr-gain-map/1.0/",
        "http://ns.apple.com/HDRGainMap/1.0/",
        "http://ns.google.com/photos/1.0/camera/",
        "http://ns.google.com/photos/1.0/container/",
        "http://ns.google.com/photos/1.0/depthmap/",
        "http://ns.google.com/photos/1.0/image/",
        "http://ns.google.com/photos/dd/1.0/device/",
    }
)
_MWG, _PEOPLE = "http://www.metadataworkinggroup.com/schemas/regions/", "http://ns.microsoft.com/photo/1.2/"
_AREA, _DIMENSIONS = "http://ns.adobe.com/xmp/sType/Area#", "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_APPLIED_TO = (_MWG, "AppliedToDimensions")
_RECTANGLE = (f"{_PEOPLE}t/Region#", "Rectangle")
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_SOURCE_TYPE = (_IPTC, "DigitalSourceType")
_REGIONS = ((_MWG, "Regions"), (_PEOPLE, "RegionInfo"), (_IPTC, "ImageRegion"))
"""Where in the picture somebody is: of the Metadata Working Group (Lightroom, digiKam), of Microsoft, and of IPTC."""
_NEW = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    f'xmlns:rdf="{_RDF}"></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()
"""An empty packet."""
_MARK = re.compile(rb"[\"'>]")
_ATTRIBUTE = re.compile(rb"""\s([^\s=/>"']+)\s*=\s*("[^"]*"|'[^']*')""")
_RESOURCE = re.compile(rb"""\s(?:[^\s=/>"']+:)?resource\s*=\s*("[^"]*"|'[^']*')""")
_DEEPEST, _MOST_ELEMENTS = 256, 100_000

_Name = tuple[str, str]


def clean_xmp(packet: bytes) -> bytes | None:
    """The packet with orientation 1, without thumbnails and what says that more pictures lie in the file.

    Returns:
        None if it is no well-formed XML in UTF-8.
    """
    packet = packet.strip(b"\0")
    edits = _edits(packet)
    if edits is None:
        return None
    changes = list(edits.stale)
    changes += [(begin, end, b"1") for name, begin, end in edits.values if name == _ORIENTATION]
    return _changed(packet, changes)


def xmp_orientation(packet: bytes | None) -> int | None:
    """The orientation, 1 to 8, that a packet says, or None."""
    edits = _edits(packet.strip(b"\0")) if packet else None
    if packet is None or edits is None:
        return None
    for name, begin, end in edits.values:
        value = packet.strip(b"\0")[begin:end].strip()
        if name == _ORIENTATION and len(value) == 1 and value in b"12345678":
            return int(value)
    return None


def xmp_turned(packet: bytes, turn: int) -> bytes:
    """A clean packet of a picture that was turned upright: where people are in it is where they are now.

    Rectangles are about the samples as they lay in the file (Metadata Working Group, Guidelines for Handling Image Metadata
    2.0). If one of them cannot be understood, or there are IPTC's, nothing is said of anybody's place.

    Args:
        turn: the EXIF orientation that was undone, 1 to 8.
    """
    edits = _edits(packet) if turn != 1 else None
    if edits is None or not edits.regions:
        return packet
    try:
        changes = _moved_regions(packet, edits, turn)
    except (ValueError, KeyError):
        return xmp_without_regions(packet)
    return _changed(packet, changes)


def xmp_without_regions(packet: bytes) -> bytes:
    """A clean packet that does not say where somebody is: of a picture that was cut, or turned by a few degrees."""
    edits = _edits(packet)
    return packet if edits is None else _changed(packet, [(begin, end, b"") for begin, end, _ in edits.regions])


def xmp_with_size(packet: bytes, size: Size) -> bytes:
    """A clean packet with the picture's width and height, where it has them, set to ``size``."""
    edits = _edits(packet)
    if edits is None:
        return packet
    return _changed(
        packet,
        [
            (begin, end, str(size.width if name in _WIDTHS else size.height).encode())
            for name, begin, end in edits.values
            if name in _WIDTHS + _HEIGHTS
        ],
    )


def xmp_source_type(packet: bytes | None) -> str | None:
    """Where the image comes from, as ``Iptc4xmpExt:DigitalSourceType`` says it; None where a packet does not."""
    edits = _edits(packet) if packet else None
    said = [] if edits is None else [value for _, _, value in edits.sources if value]
    return said[0] if said else None


def xmp_with_source_type(packet: bytes | None, source_type: str) -> bytes:
    """A clean packet, or a new one, that says where the image comes from, and says it once.

    Source: IPTC Photo Metadata Standard 2023.1.

    Args:
        packet: None for none.
        source_type: a URI of IPTC's vocabulary http://cv.iptc.org/newscodes/digitalsourcetype.
    """
    from html import escape

    edits = None if packet is None else _edits(packet)
    if packet is None or edits is None or edits.rdf_end is None:
        packet = _NEW
        edits = _edits(packet)
        assert edits is not None
        assert edits.rdf_end is not None
    if [value for _, _, value in edits.sources] == [source_type]:
        return packet
    about = edits.about or b'""'
    said = (
        f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about='.encode()
        + about
        + f' xmlns:Iptc4xmpExt="{_IPTC}"><Iptc4xmpExt:DigitalSourceType>{escape(source_type, quote=False)}'
        "</Iptc4xmpExt:DigitalSourceType></rdf:Description>".encode()
    )
    gone = [(begin, end, b"") for begin, end, _ in edits.sources]
    return _changed(packet, [*gone, (edits.rdf_end, edits.rdf_end, said)])


@dataclass(slots=True)
class _Edits:
    """Places in a packet.

    Attributes:
        values: of the names above.
        stale: what has to go, with what takes its place.
        sources: attributes and elements that say where the image comes from, and what they say.
        rdf_end: where the end tag of the RDF stands; None if it has none.
        about: what the descriptions are about, with its quotes.
    """

    values: list[tuple[_Name, int, int]] = field(default_factory=list)
    stale: list[tuple[int, int, bytes]] = field(default_factory=list)
    sources: list[tuple[int, int, str]] = field(default_factory=list)
    rdf_end: int | None = None
    about: bytes | None = None
    regions: list[tuple[int, int, _Name]] = field(default_factory=list)
    """Whole elements that say where in the picture somebody is."""
    areas: dict[int, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """The numbers of each rectangle in them, by the element that they belong to."""
    applied_to: dict[int, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """Width and height of the picture that they were drawn in, likewise."""
    rectangles: list[tuple[int, int]] = field(default_factory=list)
    """Microsoft's: four numbers with commas."""

    def take_region(self, name: _Name, owner: tuple[int, _Name], begin: int, end: int) -> None:
        """Note a value if it says where somebody is; ``owner`` is the element that it belongs to."""
        number, kind = owner
        if name[0] == _AREA:
            self.areas.setdefault(number, {})[name[1]] = (begin, end)
        elif name[0] == _DIMENSIONS and kind == _APPLIED_TO:
            self.applied_to.setdefault(number, {})[name[1]] = (begin, end)
        elif name == _RECTANGLE:
            self.rectangles.append((begin, end))


class _DamagedError(Exception):
    pass


def _edits(packet: bytes) -> _Edits | None:
    """What stands where in a packet, or None if it is no well-formed XML in UTF-8 without a document type."""
    found = _Edits()
    spaces: dict[str, list[str]] = {}
    open_values: list[tuple[int, _Name, int]] = []  # depth, name, where the content begins
    owners: list[tuple[int, _Name]] = []  # of the open values
    stale_from: list[tuple[int, int, int]] = []  # depth, begin and end of the first tag of the outermost stale element
    source_from: list[tuple[int, int, int]] = []  # the same of an element that says where the image comes from
    region_from: list[tuple[int, int, int]] = []  # the same of an element that says where somebody is
    above: list[tuple[int, _Name]] = [(0, ("", ""))]  # the elements that are open, numbered
    depth = elements = 0
    parser = expat.ParserCreate("utf-8", "\n")

    def start_space(prefix: str | None, uri: str) -> None:
        spaces.setdefault(prefix or "", []).append(uri)

    def end_space(prefix: str | None) -> None:
        spaces[prefix or ""].pop()

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > _DEEPEST or elements > _MOST_ELEMENTS:
            raise _DamagedError
        full = _split(name)
        owner, own = above[-1], (elements, full)
        above.append(own)
        if stale_from:
            return
        begin = parser.CurrentByteIndex
        end = _tag_end(packet, begin)
        if full in _STALE or full[0] in _STALE_SPACES:
            stale_from.append((depth, begin, end))
            return
        if full == _SOURCE_TYPE:
            source_from.append((depth, begin, end))
            return
        if full in _REGIONS and not region_from:
            region_from.append((depth, begin, end))
        if (_is_value(full) or _is_place(full)) and not _is_empty(packet, end):
            open_values.append((depth, full, end))
            owners.append(owner)
        for attribute in _ATTRIBUTE.finditer(packet, begin, end):
            prefix, _colon, local = attribute[1].decode("utf-8").rpartition(":")
            full = (spaces[prefix][-1] if prefix and spaces.get(prefix) else "", local)
            if full in _STALE or full[0] in _STALE_SPACES:
                found.stale.append((attribute.start(), attribute.end(), b""))
            elif full == _SOURCE_TYPE:
                found.sources.append((attribute.start(), attribute.end(), _text(attribute[2][1:-1])))
            elif full == (_RDF, "about") and found.about is None:
                found.about = attribute[2]
            elif _is_value(full):
                found.values.append((full, attribute.start(2) + 1, attribute.end(2) - 1))
            elif _is_place(full):
                found.take_region(full, own, attribute.start(2) + 1, attribute.end(2) - 1)

    def end(tag: str) -> None:
        nonlocal depth
        at = parser.CurrentByteIndex
        above.pop()
        if source_from and source_from[-1][0] == depth:
            _depth, begin, first_end = source_from.pop()
            empty = _is_empty(packet, first_end)
            resource = _RESOURCE.search(packet, begin, first_end)
            value = resource[1][1:-1] if resource else b"" if empty else packet[first_end:at]
            found.sources.append((begin, first_end if empty else _tag_end(packet, at), _text(value)))
        if _split(tag) == (_RDF, "RDF") and packet.startswith(b"</", at):
            found.rdf_end = at
        if stale_from and stale_from[-1][0] == depth:
            _depth, begin, first_end = stale_from.pop()
            found.stale.append((begin, first_end if _is_empty(packet, first_end) else _tag_end(packet, at), b""))
        if region_from and region_from[-1][0] == depth:
            _depth, begin, first_end = region_from.pop()
            whole = first_end if _is_empty(packet, first_end) else _tag_end(packet, at)
            found.regions.append((begin, whole, _split(tag)))
        if open_values and open_values[-1][0] == depth:
            _depth, name, begin = open_values.pop()
            owner = owners.pop()
            if begin <= at and b"<" not in packet[begin:at]:
                if _is_value(name):
                    found.values.append((name, begin, at))
                else:
                    found.take_region(name, owner, begin, at)
        depth -= 1

    def refuse(*_: object) -> None:
        raise _DamagedError

    parser.StartNamespaceDeclHandler, parser.EndNamespaceDeclHandler = start_space, end_space
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse  # entities may stand for gigabytes
    try:
        packet.decode("utf-8")
        parser.Parse(packet, True)
    except (expat.ExpatError, UnicodeDecodeError, _DamagedError):
        return None
    return found


def _tag_end(packet: bytes, begin: int) -> int:
    """Behind the tag that begins there: a ">" within quotes does not end it."""
    quote = b""
    for match in _MARK.finditer(packet, begin):
        if quote:
            quote = b"" if match[0] == quote else quote
        elif match[0] == b">":
            return match.end()
        else:
            quote = match[0]
    return len(packet)


def _is_empty(packet: bytes, tag_end: int) -> bool:
    """Whether the tag that ends there is the whole element."""
    return packet[tag_end - 2 : tag_end] == b"/>"


def _split(name: str) -> _Name:
    space, _, local = name.rpartition("\n")
    return space, local


def _text(value: bytes) -> str:
    # Not at the top: it brings a whole HTTP client, for which each decoder process would wait.
    from xml.sax.saxutils import unescape

    return unescape(value.decode("utf-8", errors="replace")).strip()


def _is_value(name: _Name) -> bool:
    return name == _ORIENTATION or name in _WIDTHS or name in _HEIGHTS


def _is_place(name: _Name) -> bool:
    return name[0] in (_AREA, _DIMENSIONS) or name == _RECTANGLE


def _moved_regions(packet: bytes, edits: _Edits, turn: int) -> list[tuple[int, int, bytes]]:
    """The places of people in a picture that was turned upright.

    Raises:
        ValueError, KeyError: if one cannot be understood.
    """
    if any(name not in _REGIONS[:2] for _, _, name in edits.regions):
        raise ValueError("IPTC's regions have shapes of many kinds")
    changes: list[tuple[int, int, bytes]] = []

    def number(place: tuple[int, int]) -> float:
        value = float(packet[slice(*place)])
        if not 0 <= value <= 1:
            raise ValueError("it is no part of the picture's width or height")
        return value

    def say(place: tuple[int, int], value: float) -> None:
        changes.append((*place, f"{min(max(value, 0.0), 1.0):.6g}".encode()))

    for area in edits.areas.values():
        x, y = _upright(number(area["x"]), number(area["y"]), turn)
        say(area["x"], x)
        say(area["y"], y)
        if turn >= 5 and ("w" in area or "h" in area):
            width, height = number(area["w"]), number(area["h"])
            say(area["w"], height)
            say(area["h"], width)
    for sides in edits.applied_to.values() if turn >= 5 else ():
        across, down = sides["w"], sides["h"]
        changes += [(*across, packet[slice(*down)]), (*down, packet[slice(*across)])]
    for begin, end in edits.rectangles:
        left, top, width, height = (float(part) for part in packet[begin:end].split(b","))
        one, other = _upright(left, top, turn), _upright(left + width, top + height, turn)
        corner = [min(one[0], other[0]), min(one[1], other[1])]
        sides = [abs(one[0] - other[0]), abs(one[1] - other[1])]
        changes.append((begin, end, ", ".join(f"{value:.6g}" for value in (*corner, *sides)).encode()))
    return changes


def _upright(x: float, y: float, turn: int) -> tuple[float, float]:
    """Where a point of a picture lies once an EXIF orientation was undone, in parts of its width and height."""
    if turn >= 5:
        x, y = y, x
    return 1 - x if turn in (2, 3, 6, 7) else x, 1 - y if turn in (3, 4, 7, 8) else y


def _changed(packet: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    parts, place = [], 0
    for begin, end, value in sorted(changes):
        parts += [packet[place:begin], value]
        place = end
    return b"".join([*parts, packet[place:]])
