"""Question-answer pairs: where they come from, how they are cleaned, and a split whose leaks are measured. No torch."""
