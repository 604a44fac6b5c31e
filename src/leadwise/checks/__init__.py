"""What the exercises and quizzes of the notebooks call: one module for each notebook, named by its topic.

A topic stays when the sequence of the notebooks changes, and with it what checks, quiz and progress go by.
"""
