"""What a report says of each face, with what was measured of it before and after."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from likeness.compute.cancellation import checkpoint
from likeness.errors import LikenessError
from likeness.imaging.image import Image
from likeness.restore.outcome import Restoration
from likeness.restore.report import face_record

if TYPE_CHECKING:
    from likeness.evidence.inspection import Inspector

__all__ = ["face_records"]

_log = logging.getLogger(__name__)


def face_records(before: Image, restoration: Restoration, inspector: Inspector | None) -> tuple[dict[str, Any], ...]:
    """Each face as `face_record` puts it; with an inspector, also what it measures of those that were restored.

    A face that cannot be measured has no evidence, and the log says why.
    """
    records: list[dict[str, Any]] = []
    for outcome in restoration.faces:
        checkpoint()
        evidence: dict[str, Any] | None = None
        if inspector is not None and outcome.status == "restored":
            try:
                found = inspector.inspect_face(before, restoration.image, outcome.face, index=outcome.index)
                evidence = found.to_dict()
            except (LikenessError, ValueError, np.linalg.LinAlgError) as error:
                _log.warning("face %d: no evidence for the report (%s)", outcome.index + 1, error)
        records.append(face_record(outcome, before.size, evidence=evidence))
    return tuple(records)
