"""The run store: what a run folder holds, and how it is read and written. The contract is docs/run-folder.md."""
