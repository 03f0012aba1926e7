"""What a run shows: one file each for the records, the terminal and the machines."""
