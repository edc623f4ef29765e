"""Ask: what do both models answer to your question?"""
