"""A run: its parts, the loop of proposals and trials, its phases and bounds."""
