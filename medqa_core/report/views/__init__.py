"""What a run shows, as typed values: nothing here is rounded or put into words."""
