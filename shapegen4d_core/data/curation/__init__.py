"""Curation: animated mesh files that nobody prepared, to shards of training clips."""
