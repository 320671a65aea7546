"""From data to estimates: settings, search for the optimum, standard errors, posteriors."""
