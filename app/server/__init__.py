"""The socket's side of the server: connections, the gate that every request passes, and clients that disconnect."""
