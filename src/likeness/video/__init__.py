"""Films: people are followed and restored the same way in every frame, in constant memory."""
