# The C types of account.py.
cimport cython

from .._watched cimport WatchedMessage
from .output cimport Output
from .reader cimport Reader

cdef class WatchClock:
    cdef object _seconds
    cdef double _last, _shift
    @cython.locals(time=double)
    cpdef double now(self) except? -1

cdef class Account:
    cdef object _link, _direction, _decode, _tell
    cdef Reader _reader
    cdef Output _output
    cdef WatchClock _clock
    cdef double _asked
    cdef bytes _payload, _frame
    cdef begin(self, bytes payload)
    cdef take(self, bytes frame)
    @cython.locals(told=WatchedMessage)
    cdef tell(self, verdict, bint by_filter, message, bint passed)
