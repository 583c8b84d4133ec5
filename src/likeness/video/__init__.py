"""Films: the same restoration for every frame, each for itself, in constant memory."""
