"""Answers: what does each model answer?"""
