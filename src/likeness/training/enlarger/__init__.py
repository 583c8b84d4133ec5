"""Training of the enlarger: settings, pairs, one step, the loop."""
