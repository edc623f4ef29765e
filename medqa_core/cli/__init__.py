"""The command `medqa`: everything a page can do, as a verb. A verb imports the heavy libraries it needs."""
