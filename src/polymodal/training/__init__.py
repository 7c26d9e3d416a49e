"""Training: the trainer, optimisation, observers, devices, and the plan that fits them into a time."""
