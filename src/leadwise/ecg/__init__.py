"""12-lead ECGs: records, files, filters, leads."""
