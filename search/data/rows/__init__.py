"""Data that are rows of images and labels rather than files: of Hugging Face, or of any object."""
