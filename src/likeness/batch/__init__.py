"""Folders of pictures, safely: a journal, a runner, a guard over every output."""
