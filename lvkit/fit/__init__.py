"""What users do with a model: fit, select, compare, backtest, save, simulate."""
