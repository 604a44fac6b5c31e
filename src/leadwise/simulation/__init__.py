"""A simulator that knows its causes: heart vector, conditions, patients, and the noise of a recording."""
