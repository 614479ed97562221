"""numpy and scipy only: arrays and a Generator in, arrays out."""
