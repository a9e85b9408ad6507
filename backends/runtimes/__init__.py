"""Runtimes on processors, and the float64 reference that all are held to."""
