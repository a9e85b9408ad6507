"""Images with depth: files, and NYU Depth v2 as published."""
