# The C types of lane.py.
cimport cython

from .judge cimport Judge
from .output cimport Output
from .reader cimport Reader

cdef int DISCARDING, RUNNING, WAITING, CHOKED, HELD, GAVE_WAY

cdef class Lane:
    cdef readonly object setup, link
    cdef public bint listed
    cdef Reader _reader
    cdef Judge _judge
    cdef Output _output
    cdef object _host, _replacement, _queue, _verdict, _on_read, _monitor
    cdef int _state
    cdef bint _busy, _sealed, _decides

    cpdef void feed(self, bytes data) except *
    cdef _enter(self, int state)
    @cython.locals(data=bytes, at=Py_ssize_t)
    cdef _go_on(self)
    cpdef wait(self)
    cpdef settle(self, verdict)
    cdef _check_held(self)
    cpdef cease(self)
    cpdef face(self, Lane other)
    cdef _use(self, setup)
    @cython.locals(reader=Reader, output=Output, messages=Py_ssize_t, size=Py_ssize_t, begun=bint)
    cdef _read(self, bytes data, Py_ssize_t at)
    @cython.locals(reader=Reader, in_time=bint)
    cdef _look(self)
    @cython.locals(output=Output)
    cpdef push(self)
