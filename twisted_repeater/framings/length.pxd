# The C types of length.py.
cimport cython

from .base cimport Framing

cdef bint COMPILED

cdef class Int32Framing(Framing):
    @cython.locals(view=cython.p_uchar, body=Py_ssize_t, size=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(view=cython.p_uchar, size=Py_ssize_t, stop=Py_ssize_t, count=Py_ssize_t, limit=Py_ssize_t)
    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
