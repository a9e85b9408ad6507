"""Stand-ins that learn nothing, in microseconds, so that a search can be tested alone."""
