"""``nasspace``: counts, samples, dedupes and shows."""
