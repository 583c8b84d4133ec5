"""Other photographs of the same person: who is who, and what such a photograph may give to a restored face."""
