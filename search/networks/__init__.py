"""Networks that are trained: their description, encoders to start from, teachers."""
