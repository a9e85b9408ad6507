"""ONNX models built straight from the graph."""
