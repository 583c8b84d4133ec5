"""What the output of ``likeness batch`` holds, by name."""

from __future__ import annotations

__all__ = ["FINAL", "JOURNAL", "PROOFS", "REPLACED", "RESULTS", "REVIEW"]

JOURNAL = "journal.sqlite"
"""The journal of a run, without ``--journal``."""

FINAL, REVIEW = "final", "review"
"""Folders for results."""

REPLACED = "replaced"
"""Folder for what a person had made of a result that is made anew."""

PROOFS = "proofs"
"""Folder for the proofs that ``likeness proof`` makes of a batch."""

RESULTS = frozenset({FINAL, REVIEW, REPLACED, PROOFS})
"""Folders that hold no originals where a journal lies beside them."""
