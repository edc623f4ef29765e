"""What the JSON files of a run folder hold, and the configuration of a fine-tune."""
