"""Views in words: every figure with its digits and unit, every sentence. What is written here is never read back."""
