"""Runs that other programs wrote, turned into run folders of kind `imported`. Start at `importer.import_path`."""

from medqa_core.runs.importers.importer import import_path

__all__ = ["import_path"]
