"""Experiments of the paper: ablation and rank correlation."""
