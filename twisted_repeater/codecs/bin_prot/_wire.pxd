# The C types of _wire.py.
cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_FromStringAndSize

cdef bint COMPILED
cdef Py_ssize_t MOST_NESTED

# Returns bytes(out), without a call through Python.
cdef inline bytes bytes_of(bytearray out):
    return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(out), PyByteArray_GET_SIZE(out))

@cython.freelist(8)
cdef class Source:
    cdef bytes data
    cdef Py_ssize_t at, end, levels, room
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t, code=Py_ssize_t)
    cdef Py_ssize_t code(self, what, Py_ssize_t limit) except -1
    cdef bint enter(self) except -1
    cdef void leave(self) noexcept

@cython.locals(source=Source)
cdef Source source_of(bytes data, Py_ssize_t at, Py_ssize_t levels)

cdef class Reader:
    cdef take(self, Source source)

cdef class _OwnReader(Reader):
    cdef object _name, _read
    cdef take(self, Source source)

cpdef Reader reader_of(of)

@cython.freelist(8)
cdef class Sink:
    cdef bytearray out
    cdef Py_ssize_t levels, room
    cdef bint enter(self) except -1
    cdef void leave(self) noexcept

@cython.locals(sink=Sink)
cdef Sink sink_of(bytearray out, Py_ssize_t levels)

cdef class Writer:
    cdef put(self, Sink sink, value)

cdef class _OwnWriter(Writer):
    cdef object _write
    cdef put(self, Sink sink, value)

cpdef Writer writer_of(of)

cdef class MessageCodec:
    cdef Reader _reader
    cdef Writer _writer
    cdef Py_ssize_t _levels
    @cython.locals(source=Source)
    cpdef decode(self, payload)
    @cython.locals(sink=Sink)
    cpdef encode(self, message)

cdef Py_ssize_t _bounded(levels) except -1
cdef bytes _exact(data)
