# The C types of flow.py.
cimport cython

cdef int FIRST_LOOK
cdef double UNKNOWN

cdef class Flow:
    cdef readonly object awaited
    cdef object _host, _held, _verdict, _now
    cdef int _state, _stride
    cdef double _since, _looked
    cdef bint _running, _undisturbed, _busy, _sealed

    cdef _read(self, bytes data, Py_ssize_t at)
    cdef _carry_out(self, verdict)
    cdef bint _is_choked(self) except -1
    cpdef void feed(self, bytes data) except *
    cdef _enter(self, int state)
    cdef _choke(self)
    cdef _wait_for(self, awaited)
    cdef _settle(self, verdict)
    cdef _need_clock(self)
    cdef _start_clock(self)
    cdef int _first_look(self) except -1
    cdef bint _gives_way(self) except -1
    @cython.locals(before=double, taken=double)
    cdef bint _gives_way_after_stride(self) except -1
    cdef _check_held(self)
    cdef _hold(self, bytes data)
    cdef _put_back(self, bytes data, Py_ssize_t at)
    @cython.locals(data=bytes, at=Py_ssize_t)
    cdef _go_on(self)
