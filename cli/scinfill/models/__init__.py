"""The maths of the methods. No AnnData, no files; TensorFlow lives here only."""
