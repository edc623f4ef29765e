"""Data: what is the model trained on, and does it leak?"""
