# The C types of framing.py.
cimport cython

cdef bint COMPILED
cdef Py_ssize_t FARTHEST

cdef class Framing:
    cdef public Py_ssize_t max_frame
    cdef public Py_ssize_t body, count
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(count=Py_ssize_t, stop=Py_ssize_t)
    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1

cdef class Int32Framing(Framing):
    @cython.locals(view=cython.p_uchar, body=Py_ssize_t, size=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(view=cython.p_uchar, size=Py_ssize_t, stop=Py_ssize_t, count=Py_ssize_t, limit=Py_ssize_t)
    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1

cdef class StampedFraming(Framing):
    cdef public object clock
    @cython.locals(view=cython.p_uchar, body=Py_ssize_t, size=Py_ssize_t, header=Py_ssize_t, used=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1

cdef class Int64Framing(Framing):
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1

cdef class ForeignFraming(Framing):
    cdef public object provider
    @cython.locals(stop=Py_ssize_t, body=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
