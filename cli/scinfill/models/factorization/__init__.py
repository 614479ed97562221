"""The default deepMc: alternating half-steps with gene offsets and a ridge, for either loss."""
