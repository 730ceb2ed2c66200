# The C types of selectors.py.

cdef class Selector:
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
