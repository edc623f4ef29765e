"""Fine-tune: what will it cost, how far is it, what came of it?"""
