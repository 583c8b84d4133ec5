"""What a network does to a face, by its purpose: restores it, colours it, or fills its holes."""
