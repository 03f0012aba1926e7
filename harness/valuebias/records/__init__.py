"""Results as values and as records of reports."""
