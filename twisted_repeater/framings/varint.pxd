# The C types of varint.py.
cimport cython

from .length cimport HeaderFraming

cdef Py_ssize_t LARGEST

cdef class VarintFraming(HeaderFraming):
    cdef readonly Py_ssize_t at, max_bytes
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t, size=Py_ssize_t, shift=int, most=int,
                   length=cython.ulonglong, byte=cython.ulonglong)
    cdef Py_ssize_t _measure(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -2
