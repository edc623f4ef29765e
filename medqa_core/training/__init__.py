"""Fine-tuning on Hugging Face Trainer, writing the run folder as it goes."""
