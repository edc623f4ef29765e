"""Questions that describe an emergency: how they are told, what is said to them, and how well that works."""
