"""Training one network for long."""
