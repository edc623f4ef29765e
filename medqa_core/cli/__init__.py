"""`python -m medqa_core`: everything a page can do, as a command. A verb imports the heavy libraries it needs."""
