# The C types of _compounds.py.
cimport cython

from ._numbers cimport IntReader, IntWriter
from ._wire cimport Reader, Sink, Source, Writer

cdef IntReader COUNTS
cdef IntWriter WRITTEN_COUNTS

cdef class OptionReader(Reader):
    cdef str _name
    cdef Reader _reader
    @cython.locals(at=Py_ssize_t)
    cdef take(self, Source source)

cdef class OptionWriter(Writer):
    cdef Writer _writer
    cdef put(self, Sink sink, value)

cdef class ListReader(Reader):
    cdef str _name
    cdef Py_ssize_t _least
    cdef Reader _reader
    @cython.locals(reader=Reader, start=Py_ssize_t, left=Py_ssize_t, count=cython.longlong, _=cython.longlong,
                   values=list)
    cdef take(self, Source source)

cdef class ListWriter(Writer):
    cdef str _name
    cdef Writer _writer
    @cython.locals(values=tuple, index=Py_ssize_t)
    cdef put(self, Sink sink, value)

cdef class TupleReader(Reader):
    cdef tuple _readers
    cdef list _begin
    @cython.locals(reader=Reader, values=list, index=Py_ssize_t)
    cdef take(self, Source source)

cdef class TupleWriter(Writer):
    cdef str _name
    cdef tuple _writers
    @cython.locals(writer=Writer, values=tuple, index=Py_ssize_t)
    cdef put(self, Sink sink, value)

cdef class LazyReader(Reader):
    cdef object _get
    cdef Reader _reader
    @cython.locals(at=Py_ssize_t)
    cdef take(self, Source source)

cdef class LazyWriter(Writer):
    cdef object _get
    cdef Writer _writer
    cdef put(self, Sink sink, value)
