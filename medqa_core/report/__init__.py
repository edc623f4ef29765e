"""What a run shows, as data, in words, and as a write-up in four formats."""
