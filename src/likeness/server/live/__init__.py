"""The page, and the pictures that it is open on."""
