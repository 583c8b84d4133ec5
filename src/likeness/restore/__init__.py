"""Restoration: controls, relaxation, paste-back, grain, and the pipeline."""
