"""Measuring base and fine-tuned model on the same questions, and judging the difference."""
