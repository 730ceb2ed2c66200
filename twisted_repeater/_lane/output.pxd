# The C types of output.py.
cimport cython

from ..verdicts cimport Frame

cdef Py_ssize_t MANY, SMALL

cdef class Output:
    cdef readonly Py_ssize_t made
    cdef list between
    cdef object _forward, _back
    cdef list _frames, _answers
    cdef tuple _noted
    cdef public bint goes_on
    cdef bint _inside, _answered
    cdef public object delayed, opposite

    cpdef put(self, bytes data, Py_ssize_t start, Py_ssize_t stop)
    cpdef extend(self, pieces)
    cpdef send(self, message, bytes instead_of=*)
    cpdef answer(self, message)
    cpdef note(self, bint wanted)
    cpdef tuple noted(self)
    cpdef add_between(self, outlet, bytes frame)
    cpdef take_between(self)
    @cython.locals(pieces=list)
    cpdef flush(self)
    cdef _push_back(self, list answers)
    cpdef tuple take(self)
    cpdef bint end_frame(self) except -1
    cpdef tear(self)
    cpdef bint is_choked(self) except -1

@cython.locals(size=Py_ssize_t)
cdef list _in_one(list frames)
cdef bytes _emptied(list frames)
