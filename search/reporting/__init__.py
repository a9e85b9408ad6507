"""A run told to people: progress, tables, pictures, TensorBoard."""
