# The C types of perhaps.py, and the search for lone bytes in C.
cimport cython

from ...selectors cimport Selector

cdef bint COMPILED
cdef Py_ssize_t AT_ONCE

# Returns whether a CR, LF or NUL is between two offsets, other than a CR right before the second.
cdef inline bint has_lone(bytes data, Py_ssize_t start, Py_ssize_t stop) noexcept:
    cdef const unsigned char *view = data
    cdef Py_ssize_t at
    for at in range(start, stop):
        if view[at] <= 13 and (view[at] == 0 or view[at] == 10 or (view[at] == 13 and at != stop - 1)):
            return True
    return False

cdef bint is_lone(bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class Perhaps(Selector):
    cdef object _may_match
    cdef bint _closes, _perhaps
    cdef bytes _data
    cdef Py_ssize_t _first, _last
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
    @cython.locals(last=Py_ssize_t)
    cdef _look(self, bytes data, Py_ssize_t start, Py_ssize_t stop)
