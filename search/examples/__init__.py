"""Labelled examples for a learner: images, or stored encoder outputs."""
