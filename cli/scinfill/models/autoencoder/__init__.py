"""The default AutoImpute: an autoencoder trained on entries that it does not read."""
