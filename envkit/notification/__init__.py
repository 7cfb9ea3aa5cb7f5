"""Send notices: the channels, their placeholders, and the delivery.

The package that causes a notice decides what it says and when it is sent. `sent_notices`
records what was sent, so that each notice is sent once a day.
"""
