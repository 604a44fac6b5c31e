"""From files to ECGs: one reader a format, one assembly for all, the checks of a recording, the catalogue."""
