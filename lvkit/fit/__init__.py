"""What users do with a model and its fit.

``latent_skill_model`` fits a model, and ``fit`` has the methods of the result. ``select_skills``
compares numbers of skills, ``backtest`` tests predictions, ``simulate`` and ``simulation_study``
draw panels from known parameters, ``interpret`` and ``standings`` describe skills and families,
``saved_fit`` and ``cache`` keep fits in files.
"""
