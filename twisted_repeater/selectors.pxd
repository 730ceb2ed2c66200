# The C types of selectors.py.
cimport cython

cdef class Selector:
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class _ByteAt(Selector):
    cdef Py_ssize_t _offset
    cdef tuple _values
    cdef bytes _table
    @cython.locals(view=cython.p_uchar, table=cython.p_uchar)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class _BytesAt(Selector):
    cdef Py_ssize_t _offset
    cdef tuple _values
    cdef bytes _firsts
    @cython.locals(view=cython.p_uchar, firsts=cython.p_uchar, wanted=cython.p_uchar, value=bytes,
                   at=Py_ssize_t, size=Py_ssize_t, index=Py_ssize_t)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class _Contains(Selector):
    cdef tuple _values
    @cython.locals(value=bytes)
    cpdef bint matches(self, bytes data, Py_ssize_t start, Py_ssize_t stop) except -1

cdef class _Predicate(Selector):
    cdef object _function
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
