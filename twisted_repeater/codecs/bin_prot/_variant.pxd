# The C types of _variant.py.
cimport cython

from ._compounds cimport TupleReader, TupleWriter
from ._wire cimport Reader, Sink, Source, Writer

cdef class VariantReader(Reader):
    cdef str _what
    cdef Py_ssize_t _count
    cdef tuple _readers
    @cython.locals(reader=Reader, index=Py_ssize_t)
    cdef take(self, Source source)
    @cython.locals(view=cython.p_uchar, at=Py_ssize_t, index=Py_ssize_t)
    cdef Py_ssize_t _index_of_two_bytes(self, Source source) except -1

cdef class VariantWriter(Writer):
    cdef str _name
    cdef bint _wide
    cdef tuple _writers
    cdef dict _index_of
    @cython.locals(writer=Writer, index=Py_ssize_t)
    cdef put(self, Sink sink, value)
    cdef _find(self, value)

cdef class ConstantReader(Reader):
    cdef object _constant
    cdef take(self, Source source)

cdef class ConstantWriter(Writer):
    cdef object _constant
    cdef put(self, Sink sink, value)

cdef class TaggedReader(Reader):
    cdef str _label
    cdef TupleReader _arguments
    cdef take(self, Source source)

cdef class TaggedWriter(Writer):
    cdef str _label
    cdef TupleWriter _arguments
    cdef put(self, Sink sink, value)
