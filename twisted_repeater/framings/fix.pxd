# The C types of fix.py.
cimport cython

from .length cimport HeaderFraming

cdef bytes BEGIN
cdef Py_ssize_t LONGEST_BEGIN, MOST_DIGITS, LEAST_BODY, TRAILER

cdef class FixFraming(HeaderFraming):
    @cython.locals(view=cython.p_uchar, begin=cython.p_uchar, at=Py_ssize_t, first=Py_ssize_t, length=Py_ssize_t,
                   size=Py_ssize_t)
    cdef Py_ssize_t _measure(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -2
    @cython.locals(view=cython.p_uchar)
    cdef bint _is_trailer(self, bytes data, Py_ssize_t at) noexcept
