"""Runs: which runs are there, and what is to be done with them?"""
