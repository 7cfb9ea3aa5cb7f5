"""What the person at the terminal is asked and shown: questions, the editor, progress."""
