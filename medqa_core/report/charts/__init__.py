"""The figures of a run: builders that take data and a palette. Only here does the core draw with Plotly.

Nothing is imported here, so that the palette and the SVG figures of a written report come without Plotly.
"""
