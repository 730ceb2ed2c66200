# The C types of _basics.py.
cimport cython

from ._numbers cimport IntReader, IntWriter
from ._wire cimport Reader, Sink, Source, Writer

cdef IntReader LENGTHS
cdef IntWriter WRITTEN_LENGTHS

cdef class CharReader(Reader):
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t)
    cdef take(self, Source source)

cdef class CharWriter(Writer):
    cdef put(self, Sink sink, value)

cdef class StringReader(Reader):
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t, stop=Py_ssize_t, size=cython.longlong)
    cdef take(self, Source source)

cdef class StringWriter(Writer):
    cdef put(self, Sink sink, value)

cdef class TextReader(Reader):
    cdef str _errors
    cdef bint _strict
    cdef StringReader _bytes
    @cython.locals(value=bytes)
    cdef take(self, Source source)

cdef class TextWriter(Writer):
    cdef str _errors
    cdef StringWriter _bytes
    cdef put(self, Sink sink, value)

cdef class OneByteReader(Reader):
    cdef str _name
    cdef tuple _values
    cdef Py_ssize_t _count
    cdef take(self, Source source)

cdef class OneByteWriter(Writer):
    cdef object _kind
    cdef tuple _values
    cdef str _expected
    cdef put(self, Sink sink, value)
