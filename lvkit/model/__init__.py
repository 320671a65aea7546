"""The model as formulas on arrays.

``beta`` has the density of a score and ``response_curve`` its curve. Features are read from a
``formula``, computed by the ``design_matrix`` and kept in ``features``; ``prepared`` arranges a
panel for a model, and ``score_table`` holds its scores. ``parameters`` are what users see,
``coordinates`` what the search uses, and ``free_parameters`` their labelled vector. ``marginal`` is
the marginal likelihood, by the nodes of ``quadrature`` at each ``posterior_mode``.
"""
