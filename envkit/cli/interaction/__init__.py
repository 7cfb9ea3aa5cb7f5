"""Interaction with the person at the terminal: questions, the editor, progress."""
