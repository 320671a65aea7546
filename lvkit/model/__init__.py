"""The model as formulas on arrays: parameters, response curve, features, marginal likelihood."""
