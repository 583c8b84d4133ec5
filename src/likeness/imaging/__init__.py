"""Pictures: the image type, files, colour and pyramids."""
