# The C types of base.py.
cimport cython

cdef class Framing:
    cdef public Py_ssize_t max_frame
    cdef public Py_ssize_t body, tail, count, least, seen
    cdef public bint goes_on, follows
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    cpdef Py_ssize_t more(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    cpdef taken(self, bytes data, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(count=Py_ssize_t, stop=Py_ssize_t)
    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1

cdef class CheckedFraming(Framing):
    cdef public object provider
    @cython.locals(stop=Py_ssize_t, body=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
