"""The other files of a run folder, each with its reader and its writer."""
