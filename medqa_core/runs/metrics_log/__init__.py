"""`metrics.jsonl`: the loss curve, appended a row a logged step and read at any length."""
