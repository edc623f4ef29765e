"""Summary: did fine-tuning help?"""
