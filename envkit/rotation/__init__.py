"""Rotate credentials behind a profile's secrets, resumable at every instruction.

    due? -> claim -> create -> set -> test -> promote -> (grace) -> retire -> clear

1. The new value is durable in the store, as pending, before any side effect.
2. Each step probes, then acts: it may be run again after a crash at any instruction.
3. Promote is one compare-and-set on the secret.
4. The old credential works until `retire_at`.
5. Retire is fenced: it removes exactly the old credential of this rotation.
6. At every instant at least one credential that a reader can get from the store
   logs in.

`catalog` finds the rotations of profiles; `jobs` runs them, each with its hooks, its line in
the audit log and its notices (`notify`). `engine` advances one: it reads the store, lets
`machine` decide the next step, without any I/O, and lets `steps` do it. `outcome` is what
became of a run, and the one place where an exception becomes that; `backoff` says when a
failure is tried again. `status` reads where rotations stand. `protocols` is what a rotator
must be able to do, `rotators` has the built-in ones, and `base` is what their authors import.
`scheduler` runs rotations when they are due, on one machine; `fleet` shares them between
several. `simulate` shows the year ahead.

Policy, schedule, record and stores are in `envkit.rotation_state`; the values live only in
the store.
"""
