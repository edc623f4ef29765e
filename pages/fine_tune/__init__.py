"""Fine-tune a model: estimate it, start it, follow it, see how it ended."""
