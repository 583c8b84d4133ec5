#!/usr/bin/env python3
"""The plug-in itself: a layer, or the part of it that a selection bounds, restored into a new layer above it.

GIMP runs this file. See https://developer.gimp.org/api/3.0/libgimp/ for what it calls.
"""

# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
# GIMP's library is known to GIMP's Python only, and has no types.

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
# This folder is on the path of the modules, and no package.
from command import (  # noqa: E402
    FOLDERS,
    PROGRAM,
    Argument,
    CommandError,
    arguments,
    flags,
    preset_values,
    remove_old_folders,
    restore,
    said,
    shown_values,
    usual_values,
    worded,
)
from gi.repository import Gimp, GimpUi, Gio, GLib, GObject  # noqa: E402

_PROCEDURE = "plug-in-likeness-restore"
_PLAIN = ("controls", "regions", "repairs", "faces", "references")
"""Groups of arguments in the dialog's order; those of other groups come last."""


class _Restore(Gimp.PlugIn):
    def do_set_i18n(self, _name: str) -> bool:
        return False  # the words come from the table, in every language

    def do_query_procedures(self) -> list[str]:
        return [_PROCEDURE]

    def do_create_procedure(self, name: str) -> Any:
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, _run, None)
        procedure.set_image_types("RGB*, GRAY*")
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
        procedure.set_menu_label(said("gimp.menu"))
        procedure.add_menu_path("<Image>/Filters/Enhance")
        procedure.set_documentation(said("gimp.blurb"), said("gimp.help"), name)
        procedure.set_attribution("The Likeness authors", "The Likeness authors", "2026")
        for argument in arguments():
            _add(procedure, argument)
        told = (said("gimp.program"), said("gimp.program-help"))
        procedure.add_string_argument("program", *told, PROGRAM, GObject.ParamFlags.READWRITE)
        return procedure


def _add(procedure: Any, argument: Argument) -> None:
    """Declare an argument to GIMP."""
    label, usual = worded(argument.label), argument.usual
    blurb = worded(argument.help)
    told = (argument.name, label, f"{blurb[:1].upper()}{blurb[1:]}")
    both = GObject.ParamFlags.READWRITE
    if argument.kind == "number":
        procedure.add_double_argument(*told, argument.low, argument.high, usual, both)
    elif argument.kind == "whole":
        procedure.add_int_argument(*told, argument.low, argument.high, usual, both)
    elif argument.kind == "switch":
        procedure.add_boolean_argument(*told, usual, both)
    elif argument.kind == "folder":
        procedure.add_file_argument(*told, Gimp.FileChooserAction.SELECT_FOLDER, True, None, both)
    elif argument.kind == "choice":
        choice = Gimp.Choice.new()
        for number, value in enumerate(argument.values):
            choice.add(value, number, value, "")
        procedure.add_choice_argument(*told, choice, usual, both)
    else:
        procedure.add_string_argument(*told, usual, both)


def _run(procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any, _data: Any) -> Any:
    """What the menu's entry, or a script, calls."""
    if run_mode == Gimp.RunMode.INTERACTIVE:
        GimpUi.init(_PROCEDURE)
        if not _asked(procedure, config):
            return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, GLib.Error())
    known = usual_values()
    if run_mode != Gimp.RunMode.NONINTERACTIVE:  # there the preset has moved the sliders: what they show is meant
        known |= preset_values(config.get_property("preset"))
    try:
        remarks = _restored(image, drawables, config, flags(_values(config), known))
    except CommandError as error:
        return _failed(procedure, str(error))
    except GLib.Error as error:
        return _failed(procedure, _not_passed(error.message))
    except OSError as error:
        return _failed(procedure, _not_passed(error.strerror or str(error)))
    if remarks:
        Gimp.message("\n".join(remarks))
    return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, GLib.Error())


def _failed(procedure: Any, sentence: str) -> Any:
    failure = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), sentence, 0)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, failure)


def _values(config: Any) -> dict[str, Any]:
    """What is set, by the arguments' names."""
    values = {argument.name: config.get_property(argument.name) for argument in arguments()}
    for argument in arguments():
        if argument.kind == "folder":
            file = values[argument.name]
            values[argument.name] = "" if file is None else file.get_path() or file.get_uri()
        elif argument.kind == "text":
            values[argument.name] = values[argument.name] or ""
    return values


def _asked(procedure: Any, config: Any) -> bool:
    """Show the dialog; false if it was left without OK."""
    dialog = GimpUi.ProcedureDialog.new(procedure, config, said("gimp.title"))
    groups: dict[str, list[str]] = {group: [] for group in (*_PLAIN, "more")}
    for argument in arguments():
        groups[argument.group if argument.group in _PLAIN else "more"].append(argument.name)
        if argument.kind == "number":
            dialog.get_spin_scale(argument.name, 1.0)
    groups["more"].append("program")
    for group, names in groups.items():
        dialog.fill_box(f"{group}-box", names)
    shown = ["controls-box"]
    for group, title in (
        ("regions", said("gimp.regions")),
        ("repairs", said("gimp.repairs")),
        ("faces", said("gimp.faces")),
        ("references", said("gimp.references")),
        ("more", said("gimp.more")),
    ):
        dialog.get_label(f"{group}-title", title, False, False)
        dialog.fill_expander(f"{group}-expander", f"{group}-title", False, f"{group}-box")
        shown.append(f"{group}-expander")
    dialog.fill(shown)
    config.connect("notify::preset", _on_preset)
    done = dialog.run()
    dialog.destroy()
    return done


def _on_preset(config: Any, _property: Any) -> None:
    """Move the sliders to where a preset has them."""
    for name, value in shown_values(config.get_property("preset")).items():
        config.set_property(name, value)


def _restored(image: Any, drawables: list[Any], config: Any, given: list[str]) -> list[str]:
    """The work: hand the part over as a file, and take the result back as a layer."""
    if len(drawables) != 1 or not isinstance(drawables[0], Gimp.Layer):
        raise CommandError(said("gimp.one-layer"))
    (layer,) = drawables
    touched, left, top, width, height = layer.mask_intersect()
    if not touched:
        raise CommandError(said("gimp.not-there"))
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # GIMP ends a plug-in's whole group when the user cancels, and so the command as well
    Gimp.progress_init(said("gimp.working"))
    remove_old_folders()
    with tempfile.TemporaryDirectory(prefix=FOLDERS) as folder:
        source, target = Path(folder, "layer.png"), Path(folder, "restored.png")
        _write(image, layer, (left, top, width, height), source)
        remarks = restore(config.get_property("program"), source, target, given, Gimp.progress_pulse)
        result = _read(target, image)
    result.set_name(said("gimp.layer", preset=config.get_property("preset")))
    image.undo_group_start()
    try:
        image.insert_layer(result, layer.get_parent(), image.get_item_position(layer))
        _, across, down = layer.get_offsets()
        result.set_offsets(across + left, down + top)
        if not Gimp.Selection.is_empty(image):
            result.add_mask(result.create_mask(Gimp.AddMaskType.SELECTION))
        image.set_selected_layers([result])
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    return remarks


def _write(image: Any, layer: Any, box: tuple[int, int, int, int], path: Path) -> None:
    """Write a part of a layer as a PNG file: its own pixels, without the layer's mask, opacity and mode.

    8 bit stays 8 bit; everything else becomes 16 bit, the most that PNG holds.
    """
    left, top, width, height = box
    part = Gimp.Image.new_with_precision(width, height, image.get_base_type(), image.get_precision())
    try:
        profile = image.get_color_profile()
        if profile is not None:
            part.set_color_profile(profile)
        copy = Gimp.Layer.new_from_drawable(layer, part)
        part.insert_layer(copy, None, 0)
        if copy.get_mask() is not None:
            copy.remove_mask(Gimp.MaskApplyMode.DISCARD)
        copy.set_mode(Gimp.LayerMode.NORMAL)
        copy.set_opacity(100.0)
        copy.set_visible(True)
        copy.resize(width, height, -left, -top)
        copy.set_offsets(0, 0)
        eight = (Gimp.Precision.U8_LINEAR, Gimp.Precision.U8_NON_LINEAR, Gimp.Precision.U8_PERCEPTUAL)
        _convert(
            part, Gimp.Precision.U8_NON_LINEAR if image.get_precision() in eight else Gimp.Precision.U16_NON_LINEAR
        )
        export = Gimp.get_pdb().lookup_procedure("file-png-export")
        options = export.create_config()
        for name, value in {
            "run-mode": Gimp.RunMode.NONINTERACTIVE,
            "image": part,
            "file": Gio.File.new_for_path(str(path)),
            "compression": 1,  # it is read once
            "include-color-profile": True,
        }.items():
            options.set_property(name, value)
        if export.run(options).index(0) != Gimp.PDBStatusType.SUCCESS:
            raise CommandError(_not_passed(Gimp.get_pdb().get_last_error()))
    finally:
        part.delete()


def _read(path: Path, image: Any) -> Any:
    """A file as a layer for a picture, which it is not put into."""
    restored = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(str(path)))
    if restored is None:
        raise CommandError(_not_passed(Gimp.get_pdb().get_last_error()))
    try:
        _convert(restored, image.get_precision())
        return Gimp.Layer.new_from_drawable(restored.get_layers()[0], image)
    finally:
        restored.delete()


def _not_passed(why: str) -> str:
    return said("gimp.not-passed", why=why.rstrip("."))


def _convert(image: Any, precision: Any) -> None:
    """Give a picture another precision.

    On the way from one picture to another GIMP would do that by itself, but 3.0.4 gets the colours wrong there, by up to 35
    levels of 8 bit, where the picture has a profile.
    """
    if image.get_precision() != precision:
        image.convert_precision(precision)


Gimp.main(_Restore.__gtype__, sys.argv)
