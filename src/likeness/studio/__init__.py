"""What a studio gives to its clients: proofs, files for web and print, blind reviews, notices."""
