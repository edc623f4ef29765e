"""Answering one question with the base and the fine-tuned model at once."""
