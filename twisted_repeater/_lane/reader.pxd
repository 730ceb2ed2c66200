# The C types of reader.py.
cimport cython

from ..framings.base cimport Framing

cdef int FIRST_LOOK
cdef double UNKNOWN
cdef Py_ssize_t SKIPPED_AT_ONCE

cdef class Reader:
    cdef Py_ssize_t messages, size
    cdef object held
    cdef bint flowing, disturbed
    cdef double since
    cdef bytes data
    cdef Py_ssize_t at, stop, run
    cdef object unfinished
    cdef list pieces
    cdef Framing framing
    cdef object _now
    cdef double _looked
    cdef int stride
    cdef Py_ssize_t _body

    cdef hold(self, bytes data)
    cdef take(self)
    cdef bint begin(self, bytes data, Py_ssize_t at) except -1
    @cython.locals(data=bytes, at=Py_ssize_t, stop=Py_ssize_t, body=Py_ssize_t)
    cdef end(self, bint flowing)
    cdef list frame(self)
    @cython.locals(data=bytes, start=Py_ssize_t, at=Py_ssize_t, stop=Py_ssize_t, end=Py_ssize_t, limit=Py_ssize_t)
    cdef bint skip(self) except -1
    cdef int first_look(self) except -1
    cdef bytes joined(self)
    cdef forget_clock(self)
    cdef start_clock(self)
    cdef bint is_late(self) except -1
    @cython.locals(before=double, taken=double)
    cdef bint is_late_after_stride(self) except -1
