"""Data set formats that trainers use, turned into rows with a question and an answer.

A format is a function of a table, its first rows and the mapping that was given; it returns the table of its rows, or
None where the table is not of its kind. What it leaves aside is counted in the table's tally.
"""
