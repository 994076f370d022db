"""What schemathesis cannot know from the document, and must not do."""

import os

import schemathesis

CALLER = os.environ["SCHEMATHESIS_CALLER"]


@schemathesis.hook
def before_call(context, case, kwargs):
    # It reads the identifier of the client that it calls through in the list of clients, and would disable or delete
    # it sooner or later.
    for parameters in (case.path_parameters, case.query):
        for name, value in (parameters or {}).items():
            if value == CALLER:
                parameters[name] = "somebody-else"
    # No schema can say what a `next_cursor` is: one that is made up is refused with 400, rightly. The tests of lists
    # read them page by page.
    made = case.meta.generation.mode if case.meta else None
    if made is not None and made.is_positive:
        if case.query:
            case.query.pop("cursor", None)
        # It fills If-Match with `0` in its coverage phase, whatever the pattern says.
        if case.headers and not case.headers.get("If-Match", '"').endswith(('"', "*")):
            case.headers["If-Match"] = '"0"'
