"""Rendered street scenes, the data that are always there."""
