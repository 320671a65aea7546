"""The sections of reports: tables and sentences that the notebooks show."""
