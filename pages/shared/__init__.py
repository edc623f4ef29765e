"""What more than one page uses: look, notices, markup, charts, tables, the run picker."""
