"""`python -m medqa_core`: everything a page can do, as a command. Heavy libraries load inside the verb that needs them."""
