"""Tests and intervals behind what a report says."""
