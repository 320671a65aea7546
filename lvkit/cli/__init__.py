"""The command line: ``main`` has the commands, ``report`` and ``planning`` the larger ones."""
