# The C types of async_extra.py.
cimport cython

from .base cimport Framing

cdef bytes SHORT, HEADER_OF_9

cdef class AsyncExtraFraming(Framing):
    cdef public object clock
    @cython.locals(view=cython.p_uchar, body=Py_ssize_t, size=Py_ssize_t, header=Py_ssize_t, used=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(size=Py_ssize_t)
    cdef bytes _stamped(self, bytes time_stamp, payload)

cdef class AsyncExtraHelloFraming(Framing):
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
