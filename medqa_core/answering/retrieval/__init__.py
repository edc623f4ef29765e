"""Finding the passages of a run's training documents that a question is about."""
