"""What the exercises and quizzes of the notebooks call: one module for each notebook, ``notebook_01`` to ``_10``."""
