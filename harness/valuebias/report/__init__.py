"""From the document of a run to what people and machines read. Nothing here reads scores."""
