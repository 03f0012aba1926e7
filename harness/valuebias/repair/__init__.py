"""Repair: the smallest change of a reward model's head that brings a contrast inside its margin,
fitted on half of the words and prompts and judged on the other half."""
