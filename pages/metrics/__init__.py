"""Metrics: how large is the difference, metric by metric?"""
