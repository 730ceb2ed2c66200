"""What the benchmark starts as processes of their own: the load's two ends, and proxies to stand between them."""
