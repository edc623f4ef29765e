"""The write-up as one document of sections, tables and lists, which every renderer and every page shares."""
