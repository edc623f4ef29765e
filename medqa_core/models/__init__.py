"""Where models come from and how they are loaded. Importing this package imports neither torch nor transformers."""
