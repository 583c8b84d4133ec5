"""Films: the same restoration for every frame, in constant memory, and a person who does not flicker."""
