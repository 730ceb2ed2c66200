# The C types of _numbers.py, and floats in C.
cimport cython

from ._wire cimport Reader, Sink, Source, Writer

cdef extern from "Python.h":
    double PyFloat_Unpack8(const char *data, int little_endian) except? -1.0
    int PyFloat_Pack8(double value, char *data, int little_endian) except -1

cdef bint COMPILED

# Returns the float that 8 bytes mean. The caller has checked that they are there.
cdef inline double double_at(bytes data, Py_ssize_t at) except? -1.0:
    cdef const char *view = data
    return PyFloat_Unpack8(view + at, 1)

cdef inline bytes packed(double value):
    cdef char raw[8]
    PyFloat_Pack8(value, raw, 1)
    return raw[:8]

cdef class IntReader(Reader):
    cdef str _name
    cdef Py_ssize_t _first, _last
    cdef object _least, _most
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t)
    cdef take(self, Source source)
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t, count=cython.longlong)
    cdef long long count(self, Source source) except -1
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t, code=Py_ssize_t, width=Py_ssize_t)
    cdef _long(self, Source source)
    cdef _of_8_bytes(self, value, Py_ssize_t at)

@cython.locals(view=cython.p_uchar, number=cython.ulonglong)
cdef unsigned long long little_endian(bytes data, Py_ssize_t at, Py_ssize_t width) except? 99

@cython.locals(half=cython.longlong)
cdef long long _with_sign(long long number, Py_ssize_t width) noexcept

cdef class IntWriter(Writer):
    cdef str _name
    cdef bint _signed
    cdef object _least, _most
    cdef put(self, Sink sink, value)
    @cython.locals(width=Py_ssize_t)
    cdef put_number(self, bytearray out, long long number)
    cdef Py_ssize_t _width(self, long long number) noexcept

cdef class FloatReader(Reader):
    cdef str _name
    @cython.locals(at=Py_ssize_t)
    cdef take(self, Source source)

cdef class FloatWriter(Writer):
    cdef str _name
    cdef put(self, Sink sink, value)
