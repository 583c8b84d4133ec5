"""Blind reviews: pictures of several sides, shown without names in random order, rated by people, and counted."""
