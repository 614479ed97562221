"""The statistics behind the scores: arrays and a Generator in, numbers out."""
