"""Measuring a restorer: on portraits degraded by fixed recipes, by groups of persons, and on old pictures as they are."""
