"""A run as a repository of the Hugging Face hub: its folder, its evaluation results, its upload."""
