"""``nassearch eval``: scores of networks on labelled images."""
