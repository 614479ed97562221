"""Make imputed values of a model's prediction: gate, local calibration, weights, and the three named estimates."""
