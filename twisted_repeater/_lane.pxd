# The C types of _lane.py.
cimport cython

from .framing cimport Framing
from .selectors cimport Selector

cdef class Lane:
    cdef public object direction, filter, decode, on_read, awaited
    cdef public Selector selector
    cdef public Py_ssize_t messages, size
    cdef public bint translates
    cdef Framing _framing
    cdef object _forward, _back, _host
    cdef int _state
    cdef bint _busy, _sealed, _answered, _asking
    cdef list _out, _answers
    cdef Py_ssize_t _made, _held_at, _have, _need, _body
    cdef object _held, _arrival, _message
    cdef list _pending, _parts
    cdef bytearray _tail

    cpdef void feed(self, bytes data) except *
    cdef _hold(self, bytes data, Py_ssize_t at)
    @cython.locals(data=bytes, at=Py_ssize_t)
    cdef _go_on(self)
    cdef bint _is_choked(self) except -1
    cdef _block(self, int state)
    @cython.locals(messages=Py_ssize_t, size=Py_ssize_t, run=Py_ssize_t)
    cdef _read(self, bytes data, Py_ssize_t at)
    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, stop=Py_ssize_t)
    cdef _skip(self, bytes data, Py_ssize_t at, Py_ssize_t run)
    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, messages=Py_ssize_t, stop=Py_ssize_t, plain=bint,
                   selecting=bint, selector=Selector, view=cython.p_uchar)
    cdef _judge(self, bytes data, Py_ssize_t at, Py_ssize_t run)
    cdef _stop_at(self, bytes data, Py_ssize_t at, Py_ssize_t run)
    cpdef _consider(self, bytes payload, link)
    cdef _checked(self, verdict)
    cdef _verdict_of(self, result)
    cdef _settle(self, verdict)
    cdef _failed(self, error)
    cdef _obey(self, verdict, bytes frame=*)
    cdef _put(self, bytes data, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(pieces=list)
    cdef _flush(self)
    cdef _begin_frame(self, bytes data, Py_ssize_t at, Py_ssize_t stop)
    cdef _collect(self, bytes data)
    cdef _close_tail(self)
    @cython.locals(body=Py_ssize_t)
    cdef Py_ssize_t _finish_frame(self, bytes data, Py_ssize_t at) except -1
    cdef _forget_frame(self)
