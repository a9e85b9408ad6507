"""Data whose labels are outlines in text files: polygons, ellipses, masks."""
