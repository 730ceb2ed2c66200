# The C types of reader.py.
cimport cython

from ..framings.base cimport Framing

cdef int FIRST_LOOK
cdef double UNKNOWN
cdef Py_ssize_t SKIPPED_AT_ONCE

cdef class Reader:
    cdef Py_ssize_t messages, size
    cdef object held
    cdef bint flowing, disturbed
    cdef double since
    cdef bytes data
    cdef Py_ssize_t at, stop, run
    cdef object unfinished
    cdef list pieces
    cdef Framing framing
    cdef object now
    cdef double _looked
    cdef int stride
    cdef Py_ssize_t counted, _body, _tail

    cdef hold(self, bytes data)
    cdef take(self)
    cdef bint begin(self, bytes data, Py_ssize_t at) except -1
    @cython.locals(need=Py_ssize_t, stop=Py_ssize_t, end=Py_ssize_t)
    cdef bint _go_on_with(self, unfinished) except -1
    @cython.locals(framing=Framing, data=bytes, stop=Py_ssize_t)
    cdef Py_ssize_t _ask_on(self, unfinished) except -1
    cdef _keep(self, unfinished, Py_ssize_t seen)
    @cython.locals(whole=bytes)
    cdef _complete(self, unfinished, Py_ssize_t stop)
    cdef take_frame(self, bytes data, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(data=bytes, at=Py_ssize_t, stop=Py_ssize_t, seen=Py_ssize_t)
    cdef end(self, bint flowing)
    @cython.locals(data=bytes, start=Py_ssize_t, at=Py_ssize_t, stop=Py_ssize_t, end=Py_ssize_t, limit=Py_ssize_t,
                   late=bint)
    cdef bint skip(self) except -1
    @cython.locals(size=Py_ssize_t)
    cdef pass_beginning(self)
    @cython.locals(before=Py_ssize_t, grown=bint)
    cdef count_kept(self, lane, monitor)
    @cython.locals(framing=Framing, data=bytes, end=Py_ssize_t, count=int)
    cdef bint _skip_followed(self) except -1
    cdef int first_look(self) except -1
    @cython.locals(last=bytes)
    cdef bytes frame(self)
    @cython.locals(body=Py_ssize_t, tail=Py_ssize_t)
    cdef bytes joined(self)
    cdef forget_clock(self)
    cdef start_clock(self)
    cdef bint is_late(self) except -1
    @cython.locals(before=double, taken=double)
    cdef bint is_late_after_stride(self) except -1
