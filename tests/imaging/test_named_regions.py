"""Where in a picture people are, as its XMP says it: true of the result, too, or not said any more."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.framing import cut, straightened, turned
from likeness.imaging.image import Box, Image
from likeness.imaging.metadata.xmp import xmp_turned, xmp_without_regions

_MWG = "{http://www.metadataworkinggroup.com/schemas/regions/}"
_AREA = "{http://ns.adobe.com/xmp/sType/Area#}"
_DIMENSIONS = "{http://ns.adobe.com/xap/1.0/sType/Dimensions#}"
_RECTANGLE = "{http://ns.microsoft.com/photo/1.2/t/Region#}Rectangle"

_AS_ATTRIBUTES = '<mwg-rs:Area stArea:x="{x}" stArea:y="{y}" stArea:w="{w}" stArea:h="{h}" stArea:unit="normalized"/>'
_AS_ELEMENTS = (
    '<mwg-rs:Area rdf:parseType="Resource"><stArea:h>{h}</stArea:h><stArea:w>{w}</stArea:w><stArea:x>{x}</stArea:x>'
    "<stArea:y>{y}</stArea:y><stArea:unit>normalized</stArea:unit></mwg-rs:Area>"
)
_BOX = (10, 6, 30, 14)
"""Of a picture of 40 x 20: left, top, right, bottom."""
_PLACE = {"x": 20 / 40, "y": 10 / 20, "w": 20 / 40, "h": 8 / 20}


def packet(area: str, more: str = "") -> bytes:
    text = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"'
        ' xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"'
        ' xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>Ann</rdf:li></rdf:Bag></dc:subject>'
        '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions stDim:w="40" stDim:h="20" stDim:unit="pixel"/>'
        f'<mwg-rs:RegionList><rdf:Bag><rdf:li><rdf:Description mwg-rs:Name="Ann" mwg-rs:Type="Face">{area.format(**_PLACE)}'
        "</rdf:Description></rdf:li></rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
        '<MP:RegionInfo rdf:parseType="Resource"><MPReg:Regions><rdf:Bag><rdf:li MPReg:PersonDisplayName="Ann"'
        f' MPReg:Rectangle="0.25, 0.3, 0.5, 0.4"/></rdf:Bag></MPReg:Regions></MP:RegionInfo>{more}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    return text.encode()


def taken(area: str, orientation: int) -> Image:
    """A photograph with one bright face, whose file says how it is to be turned and where the face is."""
    samples = np.zeros((20, 40, 3), np.uint8)
    left, top, right, bottom = _BOX
    samples[top:bottom, left:right] = 255
    stream, exif = io.BytesIO(), PillowImage.Exif()
    exif[0x0112] = orientation
    PillowImage.fromarray(samples).save(stream, "JPEG", quality=100, subsampling=0, exif=exif, xmp=packet(area))
    return read_image(stream.getvalue())


def places(xmp: bytes) -> list[list[float]]:
    """Every rectangle as left, top, right, bottom in parts of the picture."""
    found: list[list[float]] = []
    for element in ElementTree.fromstring(xmp).iter():
        if element.tag == f"{_MWG}Area":
            said = {
                name: float(element.get(f"{_AREA}{name}") or element.findtext(f"{_AREA}{name}") or "nan")
                for name in "xywh"
            }
            x, y, w, h = said.values()
            found.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
        if rectangle := element.get(_RECTANGLE):
            left, top, width, height = map(float, rectangle.split(","))
            found.append([left, top, left + width, top + height])
    return found


def bright(image: Image) -> list[float]:
    rows, columns = np.nonzero(image.pixels[..., 0] > 0.5)
    width, height = image.size.width, image.size.height
    return [columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height]


def check(image: Image) -> None:
    xmp = image.metadata.xmp
    assert xmp is not None
    assert len(places(xmp)) == 2
    np.testing.assert_allclose(places(xmp), [bright(image)] * 2, atol=1e-5)
    (dimensions,) = ElementTree.fromstring(xmp).iter(f"{_MWG}AppliedToDimensions")
    drawn_in = [dimensions.get(f"{_DIMENSIONS}{side}") for side in "wh"]
    assert drawn_in == [str(image.size.width), str(image.size.height)]


@pytest.mark.parametrize("area", [_AS_ATTRIBUTES, _AS_ELEMENTS], ids=["attributes", "elements"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_people_are_where_they_were_said_to_be(area: str, orientation: int, tmp_path: Path) -> None:
    image = taken(area, orientation)
    check(image)
    for degrees in (90, 180, 270):
        check(turned(image, degrees))
    file = tmp_path / "a.png"
    file.write_bytes(encode_image(image, "PNG"))
    check(read_image(file))


def test_a_picture_that_lies_as_it_should_keeps_every_byte() -> None:
    assert xmp_turned(packet(_AS_ATTRIBUTES), 1) == packet(_AS_ATTRIBUTES)
    assert taken(_AS_ATTRIBUTES, 1).metadata.xmp == packet(_AS_ATTRIBUTES)


def test_of_a_part_nobodys_place_is_said() -> None:
    image = taken(_AS_ELEMENTS, 1)
    for part in (cut(image, Box(5, 0, 40, 20)), straightened(image, 3.0)):
        assert part.metadata.xmp is not None
        assert not places(part.metadata.xmp)
        assert b"<rdf:li>Ann</rdf:li>" in part.metadata.xmp
    whole = cut(image, Box(0, 0, 40, 20))
    assert whole.metadata == image.metadata


@pytest.mark.parametrize(
    ("area", "more"),
    [
        (_AS_ATTRIBUTES.replace('stArea:x="{x}"', 'stArea:x="a"'), ""),
        (_AS_ATTRIBUTES.replace('stArea:y="{y}"', ""), ""),
        (_AS_ATTRIBUTES.replace('stArea:w="{w}"', 'stArea:w="nan"'), ""),
        (_AS_ELEMENTS.replace("{x}", "700"), ""),
        (
            _AS_ELEMENTS,
            '<Iptc4xmpExt:ImageRegion xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><rdf:Bag/>'
            "</Iptc4xmpExt:ImageRegion>",
        ),
    ],
    ids=["no number", "missing", "nan", "pixels", "IPTC's"],
)
def test_a_place_that_is_not_understood_is_not_said(area: str, more: str) -> None:
    turned_one = xmp_turned(packet(area, more), 6)
    assert turned_one == xmp_without_regions(packet(area, more))
    assert not places(turned_one)
    assert b"ImageRegion" not in turned_one
    assert b"<rdf:li>Ann</rdf:li>" in turned_one
