"""Rotate credentials behind a profile's secrets, resumable at every instruction.

    due? -> claim -> create -> set -> test -> promote -> (grace) -> retire -> clear

1. The new value is durable in the store, as pending, before any side effect.
2. Each step probes, then acts: it may be run again after a crash at any instruction.
3. Promote is one compare-and-set on the secret.
4. The old credential works until `retire_at`.
5. Retire is fenced: it removes exactly the old credential of this rotation.
6. At every instant at least one credential that a reader can get from the store
   logs in.

`record` is what is remembered, `machine` decides the next step and does no I/O,
`base` is what a store and a rotator must be able to do, `runner` does the steps.
The values live only in the store.
"""
