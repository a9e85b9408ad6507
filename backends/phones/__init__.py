"""Networks for phones and small boards, in the formats of their runtimes, written without them."""
