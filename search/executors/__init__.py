"""Where trials are evaluated."""
