"""Looking at a table before training: what each column is, what is wrong with it, what gives the answer away."""
