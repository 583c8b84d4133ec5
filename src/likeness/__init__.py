"""Likeness restores portraits and keeps the person."""
