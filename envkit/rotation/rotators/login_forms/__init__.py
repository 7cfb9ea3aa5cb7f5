"""The forms in which a secret stores a login, one module for each family of forms.

Each module finds the user, the password and the servers in a text, and knows how to spell a new
user and password there. None of them changes the text: `parts.replaced` does. Pure.
"""
