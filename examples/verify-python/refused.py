"""Why something proves nothing."""


class Refused(Exception):
    """A rule is broken; the text says which thing is wrong."""


def require(holds, why):
    if not holds:
        raise Refused(why)
