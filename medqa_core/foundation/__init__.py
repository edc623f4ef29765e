"""The ground floor: errors, settings, paths, atomic writes and strict JSON. Imports nothing else of medqa_core."""
