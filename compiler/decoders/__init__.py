"""Hand-made decoders: teachers, and the rivals of what is found."""
