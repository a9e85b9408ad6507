"""Tasks, the two-stage evaluation of a genotype, and scores of a trained network."""
