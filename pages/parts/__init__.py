"""What the pages share: colours, charts, tables, the run picker and the designed states."""
