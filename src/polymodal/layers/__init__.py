"""Neural layers that encoders and fusions share. They use no files, no configs and no fields."""
