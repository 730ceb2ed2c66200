# The C types of _watched.py.
cimport cython

@cython.freelist(16)
cdef class WatchedMessage:
    cdef public object link, direction, origin, verdict
    cdef public double time, took
    cdef public Py_ssize_t number
    cdef public bint by_filter, passed
    cdef public bytes frame, payload, forward, back
    cdef object _message, _decode
    cdef bytes _out(self)
