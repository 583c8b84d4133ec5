"""What picture files say beside their pixels: taken out before any decoder sees the file, made sound, and written back."""
