"""Question-answer pairs: where they come from, how they are cleaned, and a split that does not leak. No torch."""
