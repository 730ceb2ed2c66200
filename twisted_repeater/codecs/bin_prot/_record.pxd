# The C types of _record.py.
cimport cython

from ._wire cimport Reader, Sink, Source, Writer

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        object (*tp_new)(PyTypeObject *cls, object arguments, void *keywords)
    # object.__setattr__ without a call through Python.
    int set_attribute "PyObject_GenericSetAttr"(object made, object name, object value) except -1

# Returns object.__new__(cls), for a class that has this __new__.
cdef inline object new_object(object cls):
    return (<PyTypeObject *>cls).tp_new(<PyTypeObject *>cls, (), NULL)

cdef bint COMPILED

cdef _new(cls)
cdef _assign(made, name, value)

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
