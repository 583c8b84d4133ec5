"""The work of the node that restores faces: one picture of a batch after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from likeness.errors import NoFaceError
from likeness.imaging.image import Image
from likeness.messages.notice import Notice, notice_of
from likeness.reference.references import References
from likeness.restore.canvas import plan_canvas
from likeness.restore.picture_options import PictureOptions
from likeness.restore.pipeline import Restorer
from likeness.restore.report import PictureRecord, face_record

__all__ = ["restored", "same_for_all"]


def same_for_all(restorer: Restorer, images: Sequence[Image], options: PictureOptions) -> PictureOptions:
    """The factor "auto" as a number that serves every picture of a batch, which has one size only."""
    enlargement = options.enlargement
    if len(images) == 1 or enlargement.upscale != "auto":
        return options
    side = restorer.runtime.spec.side
    wanted = [1.0]
    for image in images:
        faces = restorer.find_faces(image)
        refusals = options.selection.refusals(faces, image.size)
        selected = [face for face, reason in zip(faces, refusals, strict=True) if reason is None]
        if selected:
            wanted.append(plan_canvas(image.size, selected, enlargement, side=side).upscale)
    return replace(options, enlargement=replace(enlargement, upscale=max(wanted)))


def restored(
    restorer: Restorer,
    image: Image,
    damage: NDArray[np.float32] | None,
    references: References | None,
    options: PictureOptions,
    copy_unrestored: bool,
    number: int,
    tell: Callable[[float], None],
) -> tuple[Image, NDArray[np.float32], PictureRecord]:
    """The result, where faces were laid on, and the record.

    Args:
        restorer, image, damage, references, options: as `Restorer.restore` has them.
        copy_unrestored: whether a picture in which no face was restored is passed on, repaired and enlarged as the others.
        number: of the picture, for sentences.
        tell: told how much of the work is done, 0 to 1.

    Raises:
        NoFaceError: if no face was restored, unless ``copy_unrestored``.
        LikenessError: if the picture cannot be restored.
    """
    try:
        done = restorer.restore(
            image,
            options.controls,
            selection=options.selection,
            aligned=options.aligned,
            repairs=options.repairs,
            damage=damage,
            references=references,
            enlargement=options.enlargement,
            on_bad=options.on_bad or "keep",
            progress=lambda now: tell(now.done / (now.total + 1)),  # laying the faces back counts as one of them
        )
    except NoFaceError as error:
        if error.notice.code.startswith("reference."):
            raise  # of what was joined to the node, and not of this picture
        reason, record = notice_of(error), PictureRecord(input=str(number), status="no face", size=image.size)
    else:
        record = PictureRecord(
            input=str(number),
            status="partly restored" if done.failed else "restored",
            size=image.size,
            result_size=done.image.size,
            upscale=done.upscale,
            suggested_upscale=done.suggested_upscale,
            faces=tuple(face_record(face, image.size) for face in done.faces),
            repairs=None if done.repaired is None else done.repaired.to_dict(),
            picture=None if done.picture is None else done.picture.to_dict(),
            milliseconds=done.milliseconds,
        )
        if done.done:
            return done.image, done.area(), record
        reason, record = done.failure, replace(record, status="failed")
    if not copy_unrestored:
        raise NoFaceError(Notice("comfyui.no-face", {"number": number, "reason": reason}))
    result = image
    if options.repairs.any or damage is not None:
        repaired = restorer.repair(image, options.repairs, damage, aligned=options.aligned)
        result, record = repaired.image, replace(record, repairs=repaired.to_dict())
    result = restorer.enlarge(result, options.enlargement)
    area = np.zeros((result.size.height, result.size.width), np.float32)
    return result, area, replace(record, message=reason, result_size=result.size, copied=True)
