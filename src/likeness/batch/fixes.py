"""What can be done about preflight's findings: the advice that their sentences give, followed.

What concerns all faces that are restored changes the controls that they share; what concerns some of them, those of these
faces alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, fields, replace

from likeness.batch.options import WorkOptions
from likeness.faces.findings import Finding
from likeness.messages.notice import Notice
from likeness.restore.by_face import Changes
from likeness.restore.controls import PRESETS, Controls
from likeness.restore.face_controls import FaceControls

__all__ = ["FIXES", "Treatment", "fixable", "treat"]


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """Options with the fixes made.

    Attributes:
        options: to restore with.
        leave: numbers of faces that are left alone.
        done: what was done, one sentence each.
    """

    options: WorkOptions
    leave: frozenset[int]
    done: tuple[Notice, ...]


def treat(options: WorkOptions, findings: Sequence[Finding], faces: int) -> Treatment:
    """Options for a picture with these findings.

    Args:
        options: as they were asked for.
        findings: of preflight; those that are no warnings are left alone.
        faces: how many there are in the picture.
    """
    done: list[Notice] = []
    leave = frozenset(finding.face for finding in findings if finding.code in _LEFT_ALONE and finding.face is not None)
    for code, why in _LEFT_ALONE.items():
        numbers = sorted({f.face for f in findings if f.code == code and f.face is not None})
        if numbers:
            faces_told = ", ".join(str(number + 1) for number in numbers)
            done.append(Notice("fix.left-alone", {"finding": code, "faces": faces_told, "why": Notice(why)}))
    rest = set(range(faces)) - leave
    controls = options.controls
    concerned = {code: rest & {f.face for f in findings if f.code == code and f.face is not None} for code in FIXES}
    for code, (sentence, change) in FIXES.items():
        if rest and concerned[code] == rest:
            changed = change(controls)
            if changed != controls:
                controls = changed
                done.append(Notice("fix.done", {"finding": code, "what": Notice(sentence)}))
    face_controls = options.face_controls
    for code, (sentence, change) in FIXES.items():
        if concerned[code] < rest:
            before, face_controls = face_controls, _changed(face_controls, controls, concerned[code], change)
            numbers = [face + 1 for face in sorted(concerned[code]) if _of(before, face) != _of(face_controls, face)]
            if numbers:
                values = {"finding": code, "faces": ", ".join(map(str, numbers)), "what": Notice(sentence)}
                done.append(Notice("fix.done-faces", values))
    by_hand = options.by_hand
    if by_hand is not None:
        # What is done about a finding is not for the choice to undo.
        changed_names = {
            f.name for f in fields(Controls) if getattr(controls, f.name) != getattr(options.controls, f.name)
        }
        by_hand = tuple(sorted({*by_hand, *changed_names}))
    enlargement = options.enlargement
    small = next((finding.code for finding in findings if _is_small(finding, rest)), None)
    if small is not None and not enlargement.any:
        # Of the whole picture, and so good for one small face among larger ones as well.
        enlargement = replace(enlargement, upscale="auto")
        done.append(Notice("fix.done", {"finding": small, "what": Notice("fix.enlarged")}))
    # These measure for themselves whether a picture has aged, or is a print, and do nothing to one that has not or is none.
    repairs = options.repairs
    repairs = replace(repairs, balance=repairs.balance or 1.0, screen=repairs.screen or 1.0)
    changed_options = replace(
        options,
        controls=controls,
        face_controls=face_controls,
        by_hand=by_hand,
        repairs=repairs,
        enlargement=enlargement,
    )
    return Treatment(options=changed_options, leave=leave, done=tuple(done))


def fixable(finding: Finding, options: WorkOptions) -> bool:
    """Whether what preflight refuses is worth the work all the same, as something can be done about it."""
    return finding.code == "size-small" and finding.code not in options.limits.refuse


def _of(given: FaceControls, face: int) -> Changes:
    return given.changes.get(face, {})


def _changed(
    given: FaceControls, shared: Controls, faces: Set[int], change: Callable[[Controls], Controls]
) -> FaceControls:
    """What single faces have of their own, with a change to some of them: what it leaves as it was stays shared."""
    each = given.over(shared)
    changes = dict(given.changes)
    for face in sorted(faces):
        was, now = each[face], change(each[face])
        new: Changes = {
            f.name: getattr(now, f.name) for f in fields(Controls) if getattr(now, f.name) != getattr(was, f.name)
        }
        if not new:
            continue
        own = _of(given, face)
        if "face_mask_weights" in new:
            weights, before = now.face_mask_weights.to_dict(), was.face_mask_weights.to_dict()
            regions = {region: weight for region, weight in weights.items() if weight != before[region]}
            new["face_mask_weights"] = {**own.get("face_mask_weights", {}), **regions}
        changes[face] = {**own, **new}
    return FaceControls(changes=changes)


def _is_small(finding: Finding, restored: Set[int]) -> bool:
    return finding.code == "size-small" or (finding.code == "face-small" and finding.face in restored)


def _gentle(controls: Controls, preset: str = "natural") -> Controls:
    """Not further from the photograph than a preset."""
    least = PRESETS[preset]
    return replace(
        controls,
        degradation_scale=min(controls.degradation_scale, least.degradation_scale),
        latent_step_decay=min(controls.latent_step_decay, least.latent_step_decay),
    )


def _dark(controls: Controls) -> Controls:
    edge = PRESETS["low-light"].face_mask_weights.edge
    return _at_most("edge", edge)(_gentle(controls, "low-light"))


def _at_most(region: str, weight: float) -> Callable[[Controls], Controls]:
    def change(controls: Controls) -> Controls:
        return controls.with_weights({region: min(controls.face_mask_weights.to_dict()[region], weight)})

    return change


_LEFT_ALONE = {
    "drawing": "fix.why-drawing",
    "face-unclear": "fix.why-unclear",
}
"""Findings whose face is not restored, and why."""

FIXES: dict[str, tuple[str, Callable[[Controls], Controls]]] = {
    "face-small": ("fix.gentle", _gentle),
    "face-turned": ("fix.gentle", _gentle),
    "face-tilted": ("fix.gentle", _gentle),
    "eyes-closed": ("fix.eyes-off", _at_most("eye", 0.0)),
    "face-dark": ("fix.dark", _dark),
    "backlit": ("fix.backlit", _dark),
    "glare-forehead": ("fix.forehead-half", _at_most("forehead", 0.5)),
    "glare-nose": ("fix.nose-half", _at_most("nose", 0.5)),
    "glare-spectacles": ("fix.eyes-half", _at_most("eye", 0.5)),
}
"""By a finding's code: the code of the sentence that says what was done, and the change of the controls."""
