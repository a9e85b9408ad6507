"""TensorRT: engines, and bundles to build them elsewhere."""
