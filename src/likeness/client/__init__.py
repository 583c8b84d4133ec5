"""A typed client for a Likeness server."""
