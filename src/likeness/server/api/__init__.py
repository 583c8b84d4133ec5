"""Routes for single pictures, and what a request asks for."""
