"""Faces: detection, alignment and region masks."""
