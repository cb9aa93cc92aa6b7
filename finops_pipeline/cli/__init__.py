"""The command line: ``main`` lists the commands, ``printing`` shows answers.

Commands lie in modules by what they are for: ``analysts``, ``status``, ``pipeline``, ``data`` and
``config``.
"""
