"""The GPEN network and the discriminators that train it."""
