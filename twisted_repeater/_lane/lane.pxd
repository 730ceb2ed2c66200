# The C types of lane.py.
cimport cython

from .flow cimport Flow
from .output cimport Output
from ..framings.base cimport Framing
from ..selectors cimport Selector

cdef Py_ssize_t SKIPPED_AT_ONCE

cdef class UnfinishedTotal:
    cdef public Py_ssize_t size, limit
    cdef public object watch

cdef class Lane(Flow):
    cdef public object direction, link, filter, decode, codec, on_read
    cdef public Selector selector
    cdef public Py_ssize_t messages, size
    cdef public bint translates, listed
    cdef public UnfinishedTotal unfinished_total
    cdef Framing _framing
    cdef Output _output
    cdef object _unfinished, _message
    cdef list _pending, _between

    @cython.locals(total=UnfinishedTotal)
    cdef _count(self, Py_ssize_t change)
    @cython.locals(messages=Py_ssize_t, size=Py_ssize_t, run=Py_ssize_t)
    cdef _read(self, bytes data, Py_ssize_t at)
    @cython.locals(start=Py_ssize_t, stop=Py_ssize_t, end=Py_ssize_t, limit=Py_ssize_t)
    cdef _skip(self, bytes data, Py_ssize_t at, Py_ssize_t run)
    @cython.locals(end=Py_ssize_t, messages=Py_ssize_t, size=Py_ssize_t, look=Py_ssize_t, body=Py_ssize_t,
                   stop=Py_ssize_t, plain=bint, selecting=bint, selector=Selector, view=cython.p_uchar)
    cdef _judge(self, bytes data, Py_ssize_t at, Py_ssize_t run)
    @cython.locals(body=Py_ssize_t)
    cdef _end_read(self, bytes data, Py_ssize_t at, Py_ssize_t run, Py_ssize_t stop)
    cdef Py_ssize_t _finish_frame(self, unfinished, bytes data, Py_ssize_t at) except -1
    @cython.locals(selector=Selector)
    cdef _ask(self, bytes payload)
    @cython.locals(selector=Selector)
    cpdef _consider(self, bytes payload, link)
    cdef _checked(self, verdict)
    cdef _verdict_of(self, result)
    cpdef _arrived(self, result)
    cdef _failed(self, error)
    cdef _carry_out(self, verdict)
    @cython.locals(output=Output)
    cdef _obey(self, verdict, bytes frame=*)
    cdef _take_between(self)
    cdef _push(self)
    cdef bint _is_choked(self) except -1
