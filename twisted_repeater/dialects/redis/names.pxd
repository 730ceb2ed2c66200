# The C types of names.py.
cimport cython

from ...selectors cimport Selector

cdef Py_ssize_t MOST_DIGITS, LONGEST_HEADER, TOO_LONG

@cython.locals(value=bytes, wanted=cython.p_uchar, length=Py_ssize_t, index=Py_ssize_t, byte=cython.int)
cdef bint _is_one_of(const unsigned char *view, Py_ssize_t at, Py_ssize_t stop, Py_ssize_t size, tuple values, bint whole) except -1

cdef class CommandNames(Selector):
    cdef tuple _names, _prefixes
    cdef bytes _firsts
    @cython.locals(view=cython.p_uchar, firsts=cython.p_uchar, at=Py_ssize_t, size=Py_ssize_t)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
