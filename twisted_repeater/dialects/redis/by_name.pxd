# The C types of by_name.py.
cimport cython

from ...selectors cimport Selector

cdef int upper(int byte) noexcept

cdef class ByName(Selector):
    cdef tuple _names
    cdef bytes _firsts
    cdef bint _others
    @cython.locals(view=cython.p_uchar, firsts=cython.p_uchar, at=Py_ssize_t, size=Py_ssize_t)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
    @cython.locals(view=cython.p_uchar, name=bytes, wanted=cython.p_uchar, same=Py_ssize_t)
    cdef bint _is_named(self, bytes data, Py_ssize_t at, Py_ssize_t size) except -1
