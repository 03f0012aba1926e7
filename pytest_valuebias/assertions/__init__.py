"""Effects that assert themselves: what the fixtures hand to a test."""
