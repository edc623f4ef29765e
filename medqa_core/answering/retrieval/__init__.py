"""Finding the passages of a library that a question is about."""
