"""Stand-in for the host's own package."""
