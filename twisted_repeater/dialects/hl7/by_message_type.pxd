# The C types of by_message_type.py.
cimport cython
from libc.string cimport memchr

from ...selectors cimport Selector

cdef bint COMPILED

# Returns whether MSH is between two offsets. Texts have few letters M, and memchr skips the rest.
cdef inline bint has_header(bytes data, Py_ssize_t at, Py_ssize_t stop) noexcept:
    cdef const unsigned char *view = data
    cdef const unsigned char *found
    while stop - at >= 3:
        found = <const unsigned char *>memchr(view + at, 77, stop - at - 2)
        if found == NULL:
            return False
        if found[1] == 83 and found[2] == 72:
            return True
        at = found - view + 1
    return False

cpdef bint comes_again(bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef Py_ssize_t _end_of(const unsigned char *view, Py_ssize_t at, Py_ssize_t stop, int field, int component) noexcept
cdef class Again(Selector):
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

@cython.locals(byte=int)
cdef bint _is_plain(const unsigned char *view, Py_ssize_t at, Py_ssize_t stop) noexcept
cdef bint _is_blank(const unsigned char *view, Py_ssize_t at, Py_ssize_t stop) noexcept
@cython.locals(wanted=cython.p_uchar, size=Py_ssize_t, index=Py_ssize_t, byte=int)
cdef bint _is_word(const unsigned char *view, Py_ssize_t at, Py_ssize_t stop, bytes word) except -1

cdef class ByMessageType(Selector):
    cdef tuple _codes, _events
    cdef bint _others
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t, field=int, component=int, fields=int, code=Py_ssize_t, code_stop=Py_ssize_t, event=Py_ssize_t)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
    @cython.locals(codes=tuple, events=tuple, wanted=bytes, index=Py_ssize_t)
    cdef bint _has(self, bytes data, Py_ssize_t code, Py_ssize_t code_stop, Py_ssize_t event, Py_ssize_t event_stop) except -1
