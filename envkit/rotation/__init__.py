"""Rotate the credentials behind a profile's secrets, resumable at every instruction.

    due? -> claim -> create -> set -> test -> promote -> (grace) -> retire -> clear

1. The new value is stored, as pending, before any side effect.
2. Each step probes, then acts: it can run again after a crash at any instruction.
3. Promote is one compare-and-set on the secret.
4. The old credential works until `retire_at`.
5. Retire is fenced: it removes exactly the old credential of this rotation.
6. At every instant, at least one credential that a reader can get from the store logs in.

`catalog` finds the rotations of the profiles. `jobs` runs them, with their hooks, audit
records and notices (`notify`). `engine` advances one rotation: it reads the store, `machine`
decides the next step without I/O, and `steps` does it. `outcome` describes how a run ended;
it is the one place where an exception becomes an outcome. `status` reads the state of each
rotation. `protocols` defines what a rotator does, `rotators` has the built-in ones, and
plug-ins import `base`. `scheduler` runs rotations when they are due, `fleet` shares them
between hosts, and `simulate` predicts them.

Policy, schedule, record and stores are in `envkit.rotation_state`. Values are saved only in
the store of the secret.
"""
