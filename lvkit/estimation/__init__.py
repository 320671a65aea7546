"""From data to estimates.

``settings`` are what the user chooses. ``estimate`` runs the search: from ``starts``, on the
``objective``, by ``mml`` (marginal maximum likelihood) or ``psga`` (the paper's algorithm, with
``langevin_chains`` and the ``anchored`` constraints). ``fitted`` is its result, ``anchor_choice``
names its skills, ``standard_errors`` and ``identifiability`` say how sure it is, and
``family_posterior`` draws the families' latent variables by ``metropolis``.
"""
