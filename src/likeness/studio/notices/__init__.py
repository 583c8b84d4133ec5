"""Notices: mail to clients whose pictures cannot be restored as they are, with the reason and what to do."""
