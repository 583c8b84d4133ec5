"""Many pictures, worked on in the background."""
