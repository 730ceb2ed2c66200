# The C types of base.py.
cimport cython

cdef class Framing:
    cdef public Py_ssize_t max_frame
    cdef public Py_ssize_t body, tail, count, least, seen, opens
    cdef public bint goes_on, follows
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    cpdef Py_ssize_t more(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    cpdef taken(self, bytes data, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(count=Py_ssize_t, stop=Py_ssize_t)
    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    cpdef check_size(self, Py_ssize_t size)

cdef class CheckedFraming(Framing):
    cdef public object provider
    cdef object _shown
    cdef bint _anew
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    cpdef Py_ssize_t more(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    cpdef taken(self, bytes data, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(stop=object, body=object)
    cdef Py_ssize_t _answer(self, answer, start, end, zero) except? -1
    cdef _check_wait(self, start, end)
