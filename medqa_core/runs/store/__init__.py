"""The list of runs, and the way to open one or make a new one."""
