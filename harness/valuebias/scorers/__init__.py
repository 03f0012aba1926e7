"""Scorers: whatever gives candidates a number, behind one face."""
