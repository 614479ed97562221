"""AnnData to AnnData in memory: binds numerics and models. No paths, no stdout."""
