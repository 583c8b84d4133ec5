"""The photograph's own grain, and what only looks like grain."""
