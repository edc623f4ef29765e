"""The write-up: what a run folder shows, in words, as text, Markdown, HTML and a model card. Reads nothing else."""
