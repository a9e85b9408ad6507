"""Files that outlive a process: journal, stores, weights, locks."""
