"""The experiments behind ``evaluate``: each takes a case and an estimate and returns scores, or says why it cannot."""
