# The C types of of_type.py.
cimport cython

from ...selectors cimport Selector

cdef class OfType(Selector):
    cdef tuple _types
    cdef bint _others
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t, own=bytes, wanted=cython.p_uchar, size=Py_ssize_t, same=Py_ssize_t)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
