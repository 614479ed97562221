"""From a model's prediction to imputed values: gate, weights, and the three named estimates."""
