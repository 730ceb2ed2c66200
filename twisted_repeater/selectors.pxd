# The C types of selectors.py.
cimport cython

cdef class Selector:
    cdef readonly int _depth
    cdef readonly Py_ssize_t _reach
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

@cython.locals(value=bytes, wanted=cython.p_uchar, size=Py_ssize_t, index=Py_ssize_t)
cdef bint _begins_with(const unsigned char *view, Py_ssize_t at, Py_ssize_t stop, tuple values) except -1

cdef class _ByteAt(Selector):
    cdef Py_ssize_t _offset
    cdef tuple _values
    cdef bytes _firsts
    @cython.locals(view=cython.p_uchar, firsts=cython.p_uchar)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class _BytesAt(Selector):
    cdef Py_ssize_t _offset
    cdef tuple _values
    cdef bytes _firsts
    @cython.locals(view=cython.p_uchar, firsts=cython.p_uchar, at=Py_ssize_t)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class _Contains(Selector):
    cdef tuple _values
    cdef bytes _firsts
    cdef bint _in_one_pass
    @cython.locals(view=cython.p_uchar, firsts=cython.p_uchar, at=Py_ssize_t)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class _Predicate(Selector):
    cdef object _function
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class Gate(Selector):
    cdef public bint is_open
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class _Either(Selector):
    cdef Selector _first, _second
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class _Both(Selector):
    cdef Selector _first, _second
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class _Not(Selector):
    cdef Selector _selector
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1
