"""Training: the trainer, the optimizer, observers, devices, and the plan for a time limit."""
