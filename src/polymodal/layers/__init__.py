"""Pure neural layers: no files, no configs, no fields. Everything here is shared by encoders and fusions."""
