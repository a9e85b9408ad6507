"""Logs of runs and trainings in TensorBoard, MLflow, Weights & Biases, Trackio."""
