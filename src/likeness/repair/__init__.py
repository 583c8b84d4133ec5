"""Repair of old and damaged pictures before faces are restored."""
