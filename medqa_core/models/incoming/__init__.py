"""A model that was fine-tuned elsewhere: found in its folder, checked, copied, and made a run with weights."""
