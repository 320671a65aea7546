"""Tools without statistics: argument checks, files, progress, parallel execution."""
