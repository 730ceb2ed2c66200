# The C types of resp.py, and the search for the end of a line in C.
cimport cython
from libc.string cimport memchr

from .base cimport Framing

cdef bint COMPILED
cdef Py_ssize_t LARGEST, LONGEST_LINE, SHORTEST, ABSENT, STREAMED, NEGATIVE
cdef int MOST_DIGITS, MOST_STREAMED, VALUE, COMMAND, PART, LINE, TYPED

# Returns the offset of the byte that ends a line, between two offsets, or -1. Only a typed line may end with LF alone.
cdef inline Py_ssize_t find_line_end(bytes data, bint typed, Py_ssize_t at, Py_ssize_t end) noexcept:
    cdef const unsigned char *view = data
    cdef const unsigned char *found
    cdef Py_ssize_t begin = at
    while at < end:
        found = <const unsigned char *>memchr(view + at, 10, end - at)
        if found == NULL:
            return -1
        at = found - view
        if typed or (at > begin and view[at - 1] == 13):
            return at
        at += 1
    return -1

cdef class RespFraming(Framing):
    cdef readonly bint commands
    cdef Py_ssize_t _owed, _ahead, _before, _count
    cdef int _next
    cdef list _streams
    cdef RespFraming _judge
    @cython.locals(stop=Py_ssize_t)
    cpdef Py_ssize_t find(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(stop=Py_ssize_t)
    cpdef Py_ssize_t more(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    @cython.locals(stop=Py_ssize_t, count=Py_ssize_t)
    cpdef Py_ssize_t skip(self, bytes data, Py_ssize_t start, Py_ssize_t end) except? -1
    cdef void _begin(self) noexcept
    @cython.locals(view=cython.p_uchar, limit=Py_ssize_t, found=Py_ssize_t, byte=int)
    cdef Py_ssize_t _scan(self, bytes data, Py_ssize_t start, Py_ssize_t at, Py_ssize_t end) except? -1
    cdef Py_ssize_t _wait(self, Py_ssize_t start, Py_ssize_t at, Py_ssize_t end) noexcept
    @cython.locals(view=cython.p_uchar, first=Py_ssize_t, count=Py_ssize_t, byte=int)
    cdef Py_ssize_t _number(self, bytes data, Py_ssize_t at, Py_ssize_t end) except? -1
    cdef Py_ssize_t _string(self, bytes data, Py_ssize_t at, Py_ssize_t found) except? -1
    @cython.locals(typed=bint, most=Py_ssize_t, last=Py_ssize_t, found=Py_ssize_t)
    cdef Py_ssize_t _line_end(self, bytes data, Py_ssize_t start, Py_ssize_t at, Py_ssize_t end, Py_ssize_t limit) except? -1
    @cython.locals(view=cython.p_uchar, found=Py_ssize_t)
    cdef Py_ssize_t _command(self, bytes data, Py_ssize_t start, Py_ssize_t at, Py_ssize_t end, Py_ssize_t limit) except? -1
    @cython.locals(byte=int, pairs=bint, found=Py_ssize_t)
    cdef Py_ssize_t _other(self, bytes data, Py_ssize_t start, Py_ssize_t at, Py_ssize_t end, Py_ssize_t limit) except? -1
    @cython.locals(count=Py_ssize_t)
    cdef int _open(self, bytes data, Py_ssize_t start, Py_ssize_t at, Py_ssize_t found, Py_ssize_t limit, bint pairs) except -1
    @cython.locals(size=object)
    cdef int _owe(self, Py_ssize_t count, Py_ssize_t start, Py_ssize_t found, Py_ssize_t limit) except -1
    @cython.locals(found=Py_ssize_t)
    cdef Py_ssize_t _part(self, bytes data, Py_ssize_t at, Py_ssize_t end) except? -1
    @cython.locals(text=bytes)
    cdef Py_ssize_t _end_stream(self, bytes data, Py_ssize_t at, Py_ssize_t end) except? -1
