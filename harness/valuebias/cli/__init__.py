"""The ``valuebias`` command: one file a subcommand."""
