"""The networks that the course explains, and how their weights are found, checked and loaded."""
