"""What `[access]` in a profile asks of a person, and who can read what according to the stores.

What belongs here decides whether a process acts for a person (`person`), whether the time is
within the hours of a profile (`hours`), and whom a use is reported to (`doorbell`). Nothing here
keeps a value from someone who can read the store: the policy of the store does that.
"""
