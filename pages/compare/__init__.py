"""Compare runs: what differs, and what came of it?"""
