"""Tools without statistics: argument checks, files, outputs, progress, parallel execution."""
