# The C types of judge.py.
cimport cython

from .account cimport Account
from .output cimport Output
from .reader cimport Reader
from ..framings.base cimport Framing
from ..selectors cimport Selector
from ..verdicts cimport Send

cdef Py_ssize_t FLUSH_SIZE, LARGE

cdef class Judge:
    cdef object setup, awaited
    cdef object _lane, _host, _link, _ask, _message, _simply, _filter, _decode, _payload
    cdef Selector _selector
    cdef Reader _reader
    cdef Output _output
    cdef Account _account
    cdef list _pending
    cdef bint _sees_all, _translates, _by_filter, _considers
    cdef Py_ssize_t _reach

    cdef use(self, setup)
    cdef drop(self)
    cdef bint decide_all(self) except -1
    @cython.locals(body=Py_ssize_t, need=Py_ssize_t, last=Py_ssize_t, start=bytes)
    cdef bint _leaves_out(self, unfinished) except -1
    @cython.locals(reader=Reader, output=Output)
    cdef pass_on(self, bint decides)
    @cython.locals(reader=Reader)
    cdef bint pass_beginning(self) except -1
    @cython.locals(payload=bytes)
    cdef _decide_joined(self)
    @cython.locals(reader=Reader, framing=Framing, selector=Selector, data=bytes, view=cython.p_uchar, at=Py_ssize_t,
                   stop=Py_ssize_t, end=Py_ssize_t, messages=Py_ssize_t, size=Py_ssize_t, look=Py_ssize_t,
                   body=Py_ssize_t, last=Py_ssize_t, found=Py_ssize_t,
                   follows=cython.bint, considers=cython.bint, payload=bytes)
    cdef bint _search(self) except -1
    cdef _raised(self, error, Py_ssize_t size)
    cpdef _consider(self, bytes payload, link)
    @cython.locals(reader=Reader)
    cdef put_run(self)
    @cython.locals(reader=Reader, output=Output, frame=list, passes=cython.bint)
    cdef _decide(self, answer)
    cdef _checked(self, answer)
    cdef give_up_waiting(self, reason)
    cpdef _arrived(self, result)
    cdef _verdict_of(self, result)
    cdef _unreadable(self, error)
    cdef _failed(self, error)
    cdef _report(self, verdict)
    cdef carry_out(self, verdict)
    cdef _faulted(self, verdict, bytes frame)
    @cython.locals(output=Output)
    cdef _replace(self, Send verdict)
    cdef _close(self, verdict)
    @cython.locals(output=Output, later=cython.bint)
    cdef _obey(self, verdict, list frame)
