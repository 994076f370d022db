"""What schemathesis must not do: end the client that it calls through."""

import os

import schemathesis

CALLER = os.environ["SCHEMATHESIS_CALLER"]


@schemathesis.hook
def before_call(context, case, kwargs):
    """It reads the caller's identifier in the list of clients, and would disable or delete it sooner or later."""
    for parameters in (case.path_parameters, case.query):
        for name, value in (parameters or {}).items():
            if value == CALLER:
                parameters[name] = "somebody-else"
