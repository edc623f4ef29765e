"""The rules: each looks at a run's facts and yields a sentence only where those facts support it."""
