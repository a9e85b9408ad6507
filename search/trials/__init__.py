"""Trials, their costs and limits, and the front of the best."""
