"""Likeness inside other programs."""
