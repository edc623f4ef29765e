"""Files as people keep them, read into tables: text of any encoding, JSON of any shape, Excel, Parquet and Arrow."""
