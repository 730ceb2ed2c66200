# The C types of _wire.py.
cimport cython

cdef Py_ssize_t MOST_NESTED

@cython.freelist(8)
cdef class Source:
    cdef bytes data
    cdef Py_ssize_t at, end, levels, room
    cdef begin(self, bytes data, Py_ssize_t at, Py_ssize_t levels)
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t, code=Py_ssize_t)
    cdef Py_ssize_t code(self, what, Py_ssize_t limit) except -1
    cdef bint enter(self) except -1
    cdef void leave(self) noexcept

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
    cdef begin(self, bytearray out, Py_ssize_t levels)
    cdef bint enter(self) except -1
    cdef void leave(self) noexcept

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

cdef bytes _exact(data)
