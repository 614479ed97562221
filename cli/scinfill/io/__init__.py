"""Paths, pipes and bytes to AnnData and back; nothing statistical."""
