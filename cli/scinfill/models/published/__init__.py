"""The methods as published, and the baselines that they were compared with."""
