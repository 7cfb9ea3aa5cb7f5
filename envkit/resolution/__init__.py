"""From a profile to an environment: plan, prepare, fetch, evaluate.

What belongs here turns placeholders into values: which references a profile needs (`plan`),
the sources opened for them (`prepare`, which plans), one read per place (`fetch`), and the
values put together (`evaluate`). `resolve` prepares, fetches and evaluates. Planning and
evaluating are pure.
"""
