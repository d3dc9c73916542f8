"""What programs see: the REST API under /api."""
