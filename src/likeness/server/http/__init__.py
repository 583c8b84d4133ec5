"""What every route stands on: connections, limits, uploads, errors as answers, the work pool."""
