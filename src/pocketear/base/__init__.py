"""base: what knows no sound. Everything may import it; it imports nothing of pocketear."""
