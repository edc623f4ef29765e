"""Loss curves: how did training go?"""
