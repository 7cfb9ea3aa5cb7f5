"""The parts of `live`: reading an environment again, its pace, callbacks, failures and forks."""
