# The C types of tracking.py.
cimport cython

from ...selectors cimport Selector
from .scan cimport Scanned

cdef bytes NAMING
cdef Py_ssize_t MOST_FIELDS

cdef class Tracker:
    cdef public bint is_quiet
    cdef public Py_ssize_t last, shift, other_shift
    cpdef bint is_next(self, Scanned message) except -1
    cpdef passed(self, Scanned message)

cdef class Untracked(Selector):
    cdef Tracker _tracker
    cdef bint _asks
    cdef Selector _wanted
    @cython.locals(tracker=Tracker, number=Py_ssize_t)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

@cython.locals(view=cython.p_uchar, at=Py_ssize_t, end=Py_ssize_t, total=cython.ulong, field=Py_ssize_t, kind=Py_ssize_t,
               number=Py_ssize_t)
cpdef Py_ssize_t number_in(bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
