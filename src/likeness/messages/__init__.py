"""What is said to people: codes with values, and one catalogue of sentences for each language."""
