"""A TLS endpoint in front of a Kafka without TLS, for tests.

    kafka_tls.py BROKER_PORT CERTIFICATE KEY

It says `LISTENS PORT`, and serves until its standard input ends. A broker tells its clients where the brokers are. The
endpoint puts its own port into these answers, so that no client goes past it.
"""
import os, socket, ssl, struct, sys, threading

broker, certificate, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", 0))
own = listener.getsockname()[1]
theirs, ours = (b"127.0.0.1" + struct.pack(">i", port) for port in (broker, own))


def exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def frames(source, target, change):
    try:
        while True:
            head = exactly(source, 4)
            target.sendall(head + change(exactly(source, struct.unpack(">i", head)[0])))
    except (EOFError, OSError):
        for connection in (source, target):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(client):
    try:
        client = context.wrap_socket(client, server_side=True)
        server = socket.create_connection(("127.0.0.1", broker))
    except OSError as error:
        return print(f"REFUSED {error}", flush=True)
    threading.Thread(target=frames, args=(client, server, lambda data: data), daemon=True).start()
    frames(server, client, lambda data: data.replace(theirs, ours))


def accept():
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
print(f"LISTENS {own}", flush=True)
sys.stdin.read()
os._exit(0)
