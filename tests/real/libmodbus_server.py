"""A Modbus server of libmodbus: ``python libmodbus_server.py PORT``. It serves one client at a time, by function alone.

libmodbus does not look at the length that a frame says: it takes as many bytes as the function has.
"""

from __future__ import annotations

import ctypes
import sys

COUNT = 1000
"""How many coils and registers there are of each kind. All are 0."""
LONGEST = 260


def serve(port: int) -> None:
    """Serve clients, one after the other, until the process is killed."""
    library = ctypes.CDLL("libmodbus.so.5")
    for function in (library.modbus_new_tcp, library.modbus_mapping_new):
        function.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.modbus_new_tcp(b"127.0.0.1", port))
    registers = ctypes.c_void_p(library.modbus_mapping_new(COUNT, COUNT, COUNT, COUNT))
    listener = ctypes.c_int(library.modbus_tcp_listen(context, 5))
    request = ctypes.create_string_buffer(LONGEST)
    while library.modbus_tcp_accept(context, ctypes.byref(listener)) >= 0:
        while (size := library.modbus_receive(context, request)) >= 0:
            library.modbus_reply(context, request, size, registers)
        library.modbus_close(context)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
