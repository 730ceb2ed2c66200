# The C types of verdicts.py. Classes that are not here stay classes of Python.
cdef class Verdict:
    pass

cdef class _Constant(Verdict):
    cdef readonly str _name
    cdef readonly bint passes

cdef class Send(Verdict):
    cdef public tuple forward

cdef class Frame:
    cdef public bytes data
