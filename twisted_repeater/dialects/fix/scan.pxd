# The C types of scan.py, and the search for the end of a value in C.
cimport cython
from libc.string cimport memchr, memcmp

cdef extern from "<string.h>" nogil:
    void *memmem(const void *data, size_t size, const void *mark, size_t mark_size)

cdef bint COMPILED
cdef Py_ssize_t MOST_TAG_DIGITS, MOST_DIGITS
cdef bytes IS_LENGTH
cdef dict DATA_FIELDS

# Returns the offset of the SOH that ends a value, or -1.
cdef inline Py_ssize_t find_soh(bytes data, Py_ssize_t at, Py_ssize_t stop) noexcept:
    cdef const unsigned char *view = data
    cdef const unsigned char *found
    if at >= stop:
        return -1
    found = <const unsigned char *>memchr(view + at, 1, stop - at)
    return -1 if found == NULL else found - view

cdef Py_ssize_t find_end(bytes data, Py_ssize_t at, Py_ssize_t stop) noexcept

# Returns the offset of the value of the first field with a tag, in a message without data, or -1.
cdef inline Py_ssize_t find_value(bytes data, Py_ssize_t tag) noexcept:
    cdef unsigned char mark[24]
    cdef const unsigned char *view = data
    cdef const unsigned char *found
    cdef Py_ssize_t first = 23
    cdef Py_ssize_t size = len(data)
    if tag <= 0:
        return -1
    mark[first] = 61
    while tag > 0:
        first -= 1
        mark[first] = 48 + tag % 10
        tag //= 10
    if size >= 24 - first and memcmp(view, mark + first, 24 - first) == 0:
        return 24 - first
    first -= 1
    mark[first] = 1
    found = <const unsigned char *>memmem(view, size, mark + first, 24 - first)
    return -1 if found == NULL else found - view + 24 - first

cdef Py_ssize_t find_tag(bytes data, Py_ssize_t tag) noexcept

cdef bytes sealed(bytes head, bytes body)

# Returns the sum of the bytes before an offset, modulo 256.
cdef inline Py_ssize_t sum_before(bytes data, Py_ssize_t stop) except -1:
    cdef const unsigned char *view = data
    cdef Py_ssize_t size = len(data)
    cdef unsigned long total = 0
    cdef Py_ssize_t at
    for at in range(min(stop, size)):
        total += view[at]
    return total & 255

cpdef Py_ssize_t check_sum(bytes data, Py_ssize_t stop) except -1

@cython.locals(view=cython.p_uchar, at=Py_ssize_t, stop=Py_ssize_t, size=Py_ssize_t)
cpdef bytes type_of(bytes data)

cdef class Scanned:
    cdef readonly bytes data
    cdef readonly bint has_data
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
    cdef bint _find(self, Py_ssize_t tag) except -1
    cpdef get(self, Py_ssize_t tag)
    cpdef text(self, Py_ssize_t tag)
    cpdef number(self, Py_ssize_t tag)
    @cython.locals(number=Py_ssize_t)
    cpdef whole(self, Py_ssize_t tag)
    cpdef bint flag(self, Py_ssize_t tag) except -1
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t)
    cdef bint _is_decimal(self) noexcept
    @cython.locals(left=dict, data=bytes, size=Py_ssize_t, pieces=list, at=Py_ssize_t, kept=Py_ssize_t,
                   head=Py_ssize_t, begin=Py_ssize_t, tag=Py_ssize_t)
    cpdef bytes edited(self, changes)
    @cython.locals(size=Py_ssize_t, at=Py_ssize_t, found=list)
    cpdef tuple chosen(self, frozenset tags)
    @cython.locals(data=bytes, at=Py_ssize_t, stop=Py_ssize_t, length=Py_ssize_t, length_stop=Py_ssize_t, old=bytes,
                   new=bytes, old_length=bytes, new_length=bytes, end=Py_ssize_t, total=Py_ssize_t, made=Scanned)
    cpdef Scanned renumbered(self, Py_ssize_t number)

@cython.locals(message=Scanned)
cpdef read_as(dict classes, other, bytes data)
