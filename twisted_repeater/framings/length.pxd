# The C types of length.py.
cimport cython

from .base cimport Framing

cdef bint COMPILED
cdef Py_ssize_t LARGEST
cdef list HEADERS

cdef class Int32Framing(Framing):
    @cython.locals(view=cython.p_uchar, body=Py_ssize_t, size=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(view=cython.p_uchar, size=Py_ssize_t, stop=Py_ssize_t, count=Py_ssize_t, limit=Py_ssize_t)
    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(size=Py_ssize_t)
    cpdef encode(self, payload)

cdef class HeaderFraming(Framing):
    cdef readonly bint whole
    cdef Py_ssize_t _head
    cdef Py_ssize_t _measure(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -2
    @cython.locals(size=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(size=Py_ssize_t, count=Py_ssize_t)
    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1

cdef class LengthFraming(HeaderFraming):
    cdef readonly Py_ssize_t size, at, adds, header
    cdef readonly object order
    cdef object _most
    cdef Py_ssize_t _after
    cdef bint _little
    @cython.locals(view=cython.p_uchar, after=Py_ssize_t, at=Py_ssize_t, stop=Py_ssize_t, size=Py_ssize_t,
                   length=cython.ulonglong)
    cdef Py_ssize_t _measure(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -2
