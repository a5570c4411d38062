"""Stand-in for the host's node API: just enough to build schemas and run nodes without a host."""
