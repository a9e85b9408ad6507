"""Times of networks, and what they depend on besides the network."""
