"""What GIMP's own Python runs for test_gimp.py: cases out of a JSON file, each on a picture of its own.

GIMP's interpreter of batches has imported Gimp and Gio for it, and `CASES` is set before it.
"""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import json
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio  # noqa: E402


def only(image, layer):
    """A picture of one layer, without its mask, as deep as PNG can hold it."""
    size = layer.get_width(), layer.get_height()
    alone = Gimp.Image.new_with_precision(*size, image.get_base_type(), image.get_precision())
    if image.get_color_profile() is not None:
        alone.set_color_profile(image.get_color_profile())
    copy = Gimp.Layer.new_from_drawable(layer, alone)
    alone.insert_layer(copy, None, 0)
    if copy.get_mask() is not None:
        copy.remove_mask(Gimp.MaskApplyMode.DISCARD)
    copy.set_offsets(0, 0)
    if image.get_precision() not in (Gimp.Precision.U8_NON_LINEAR, Gimp.Precision.U16_NON_LINEAR):
        alone.convert_precision(Gimp.Precision.U16_NON_LINEAR)
    return alone


def run(case):
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(case["file"]))
    (layer,) = image.get_layers()
    if "precision" in case:
        image.convert_precision(getattr(Gimp.Precision, case["precision"]))
    if "offsets" in case:
        layer.set_offsets(*case["offsets"])
    if "select" in case:
        image.select_rectangle(Gimp.ChannelOps.REPLACE, *case["select"])
    layer.set_opacity(case.get("opacity", 100.0))
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-likeness-restore")
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("image", image)
    config.set_core_object_array("drawables", [layer])
    for name, value in case["set"].items():
        config.set_property(name, value)
    result = procedure.run(config)
    error = Gimp.get_pdb().get_last_error()
    layers = image.get_layers()
    profile = image.get_color_profile()
    if len(layers) > 1:
        alone = only(image, layers[0])
        export = Gimp.get_pdb().lookup_procedure("file-png-export")
        options = export.create_config()
        options.set_property("image", alone)
        options.set_property("file", Gio.File.new_for_path(case["result"]))
        options.set_property("include-color-profile", True)
        export.run(options)
        alone.delete()
    told = {
        "status": result.index(0).value_nick,
        "error": error,
        "layers": [
            [one.get_name(), one.get_width(), one.get_height(), *one.get_offsets()[1:], one.get_mask() is not None]
            for one in layers
        ],
        "precision": image.get_precision().value_nick,
        "profile": profile and bytes(profile.get_icc_profile()).hex(),
        "selected": [one.get_name() for one in image.get_selected_layers()],
    }
    image.delete()
    return told


CASES = Path(globals()["CASES"])
declared = Gimp.get_pdb().lookup_procedure("plug-in-likeness-restore")
arguments = {spec.name: [spec.value_type.name, spec.nick] for spec in declared.get_arguments()}
answers = {name: run(case) for name, case in json.loads(CASES.read_text()).items()}
CASES.with_suffix(".answers.json").write_text(json.dumps({"arguments": arguments, "answers": answers}))
