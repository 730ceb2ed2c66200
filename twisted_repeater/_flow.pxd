# The C types of _flow.py.
cimport cython

cdef class Flow:
    cdef readonly object awaited
    cdef object _host, _held, _verdict
    cdef int _state
    cdef bint _running, _undisturbed, _busy, _sealed

    cdef _read(self, bytes data, Py_ssize_t at)
    cdef _carry_out(self, verdict)
    cdef bint _is_choked(self) except -1
    cpdef void feed(self, bytes data) except *
    cdef _enter(self, int state)
    cdef _choke(self)
    cdef _wait_for(self, awaited)
    cdef _settle(self, verdict)
    cdef _hold(self, bytes data)
    cdef _put_back(self, bytes data, Py_ssize_t at)
    @cython.locals(data=bytes, at=Py_ssize_t)
    cdef _go_on(self)
