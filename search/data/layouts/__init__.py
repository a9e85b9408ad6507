"""Data laid out in folders: images beside label images."""
