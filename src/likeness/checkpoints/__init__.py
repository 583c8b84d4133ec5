"""Network weights: reading and writing checkpoint files, the catalog of known ones, and the local store."""
