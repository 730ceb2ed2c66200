# The C types of delimited.py, and the search in C.
cimport cython
from libc.string cimport memchr, memcmp

from .base cimport Framing

cdef extern from "<string.h>" nogil:
    void *memmem(const void *data, size_t size, const void *mark, size_t mark_size)

cdef bint COMPILED
cdef Py_ssize_t LARGEST

# Returns where the mark, of at least one byte, begins between two offsets, or -1.
cdef inline Py_ssize_t find_mark(bytes data, bytes mark, Py_ssize_t size, Py_ssize_t at, Py_ssize_t end) noexcept:
    cdef const unsigned char *first
    cdef const unsigned char *wanted
    cdef const unsigned char *found
    if size == 0:  # the framing was made without its __init__: the mark is None
        return -1
    first = data
    wanted = mark
    # memchr is many times faster than memmem, but would cost the square if its byte is everywhere.
    found = <const unsigned char *>memchr(first + at, wanted[0], end - at - size + 1)
    if found != NULL and size > 1 and memcmp(found, wanted, size) != 0:
        found = <const unsigned char *>memmem(found, first + end - found, wanted, size)
    return -1 if found == NULL else found - first

cdef class DelimitedFraming(Framing):
    cdef readonly bytes end, start, between
    cdef bytes _skips
    cdef readonly bint whole
    cdef Py_ssize_t _end_size, _start_size, _head, _marks, _before, _tail
    @cython.locals(same=Py_ssize_t, stop=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(stop=Py_ssize_t)
    cpdef Py_ssize_t more(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(stop=Py_ssize_t, count=Py_ssize_t)
    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(skips=cython.p_uchar)
    cdef bint _is_between(self, bytes data, Py_ssize_t start, Py_ssize_t end) except -1
    @cython.locals(mark=bytes, most=Py_ssize_t, same=Py_ssize_t)
    cdef Py_ssize_t _same(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(stop=Py_ssize_t, seen=Py_ssize_t)
    cdef Py_ssize_t _stop(self, bytes data, Py_ssize_t start, Py_ssize_t at, Py_ssize_t end) except? -1
    @cython.locals(most=Py_ssize_t, last=Py_ssize_t, found=Py_ssize_t)
    cdef Py_ssize_t _found(self, bytes data, Py_ssize_t start, Py_ssize_t at, Py_ssize_t end) except? -2
