# The C types of _record.py.
cimport cython

from ._wire cimport Reader, Sink, Source, Writer

cdef extern from "Python.h":
    # object.__setattr__ without a call through Python.
    int set_field "PyObject_GenericSetAttr"(object made, object name, object value) except -1

cdef bint COMPILED

cdef class RecordReader(Reader):
    cdef object _cls
    cdef tuple _names, _readers
    cdef bint _in_order
    @cython.locals(reader=Reader, start=Py_ssize_t, values=list)
    cdef take(self, Source source)

cdef class FieldsReader(Reader):
    cdef object _cls
    cdef tuple _names, _readers
    @cython.locals(reader=Reader, index=Py_ssize_t)
    cdef take(self, Source source)

cdef class RecordWriter(Writer):
    cdef object _cls
    cdef tuple _names, _writers
    @cython.locals(writer=Writer, index=Py_ssize_t)
    cdef put(self, Sink sink, value)
