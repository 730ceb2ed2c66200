# The C types of header.py, and the search for a byte in C.
cimport cython
from libc.string cimport memchr

from .by_message_type cimport comes_again

cdef bint COMPILED
cdef Py_ssize_t LAST_FIELD
cdef bytes USUAL_HEADER
cdef int CARRIAGE_RETURN, LINE_FEED

# Returns the offset of the first byte of a value, or -1.
cdef inline Py_ssize_t search(bytes data, int byte, Py_ssize_t at, Py_ssize_t stop) noexcept:
    cdef const unsigned char *view = data
    cdef const unsigned char *found
    if at >= stop:
        return -1
    found = <const unsigned char *>memchr(view + at, byte, stop - at)
    return -1 if found == NULL else found - view

cdef Py_ssize_t find_byte(bytes data, int byte, Py_ssize_t at, Py_ssize_t stop) noexcept

cdef class Frame:
    cdef readonly bytes _data

cdef class Header(Frame):
    cdef readonly Py_ssize_t _at
    cdef readonly object _delimiters
    cdef Py_ssize_t _stop
    cdef public object _charset, _view, default_charset
    @cython.locals(data=bytes, at=Py_ssize_t, stop=Py_ssize_t, end=Py_ssize_t, mark=int)
    cpdef bytes header_field(self, Py_ssize_t number)
    @cython.locals(data=bytes, at=Py_ssize_t, stop=Py_ssize_t, size=Py_ssize_t)
    cdef _read_header(self)

cpdef read_plain(kind, bytes data, charset)
@cython.locals(message=Header)
cpdef message_at(kind, bytes data, Py_ssize_t at, charset)
