# The C types of _watched.py.
cimport cython

@cython.freelist(16)
cdef class WatchedMessage:
    # The bytes are objects: an opening may send those of a subclass.
    cdef public object link, direction, origin, verdict, frame, payload, forward, back
    cdef public double time, took
    cdef public Py_ssize_t number
    cdef public bint by_filter, passed
    cdef public object _message
    cdef object _decode
    cdef _out(self)
