"""Finding damage in a warehouse, and mending what can be mended."""
