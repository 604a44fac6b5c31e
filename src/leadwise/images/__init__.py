"""Pictures to explain: photographs from files, and scenes whose objects are known to the pixel."""
