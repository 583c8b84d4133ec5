"""What has nothing to do with images: files, digests, locks, tables, a stopwatch, and a cache on the disk."""
