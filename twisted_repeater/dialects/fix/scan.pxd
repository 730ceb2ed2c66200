# The C types of scan.py, and the search for the end of a value in C.
cimport cython
from libc.string cimport memchr

cdef Py_ssize_t MOST_TAG_DIGITS, MOST_DIGITS
cdef bytes IS_LENGTH
cdef dict DATA_FIELDS

# Returns the offset of the SOH that ends a value, or -1.
cdef inline Py_ssize_t find_end(bytes data, Py_ssize_t at, Py_ssize_t stop) noexcept:
    cdef const unsigned char *view = data
    cdef const unsigned char *found
    if at >= stop:
        return -1
    found = <const unsigned char *>memchr(view + at, 1, stop - at)
    return -1 if found == NULL else found - view

@cython.locals(view=cython.p_uchar, total=cython.ulong, at=Py_ssize_t)
cpdef Py_ssize_t check_sum(bytes data, Py_ssize_t stop)

@cython.locals(view=cython.p_uchar, at=Py_ssize_t, stop=Py_ssize_t, size=Py_ssize_t)
cpdef bytes type_of(bytes data)

cdef class Scanned:
    cdef readonly bytes data
    cdef Py_ssize_t _tag, _value, _end, _data_length, _data_tag
    @cython.locals(size=Py_ssize_t, at=Py_ssize_t)
    cpdef read(self, bytes data)
    @cython.locals(view=cython.p_uchar, trailer=Py_ssize_t, total=Py_ssize_t)
    cdef _check_frame(self, Py_ssize_t body, Py_ssize_t size)
    @cython.locals(view=cython.p_uchar, number=Py_ssize_t)
    cdef Py_ssize_t _number(self, Py_ssize_t start, Py_ssize_t stop) noexcept
    @cython.locals(view=cython.p_uchar, size=Py_ssize_t, begin=Py_ssize_t, tag=Py_ssize_t)
    cdef Py_ssize_t _next(self, Py_ssize_t at) except -1
    @cython.locals(at=Py_ssize_t, size=Py_ssize_t)
    cpdef get(self, Py_ssize_t tag)
