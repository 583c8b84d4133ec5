"""Decoding in processes that may die: files of strangers cannot take the program along."""
