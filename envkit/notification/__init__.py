"""Telling people what happened: a webhook, a chat, a command. Never a value.

What belongs here delivers a notice to a channel. Who is told of what is decided by the
package that knows what happened.
"""
