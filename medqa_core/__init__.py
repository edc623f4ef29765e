"""MedQA Lab's core: what the program knows. No user-interface library is imported anywhere below here."""

__version__ = "0.1.0"
