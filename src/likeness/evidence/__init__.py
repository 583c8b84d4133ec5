"""Evidence: what became of a portrait, in figures with plain verdicts, from the picture before and the picture after."""
