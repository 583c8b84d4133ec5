"""Training: pairs made on the fly, one plain loop, exact resume."""
