"""From tables on disk to batches in memory: sources, splits, the store of samples, the order of rows, and the loader."""
