# SPDX-License-Identifier: Apache-2.0
"""A network and an /etc of one's own, in which servers have any name and any address: for manifests that are to stay as they are. Only for a process
that `COMMAND` has started: it has namespaces of its own, and all that it leaves ends with it."""
import fcntl
import ipaddress
import os
import socket
import ssl
import struct
import subprocess
import threading

from brokers import Broker

COMMAND = ["unshare", *([] if os.getuid() == 0 else ["--map-root-user"]), "--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
           "--mount-proc"]
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def interface(request, name, data):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, request, struct.pack("16s24s", name.encode(), data))


def copy(a, b):
    """What comes from one to the other, until one ends; then both do."""
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class World:
    """Names and addresses, and what is behind them: servers of 127.0.0.1."""

    def __init__(self, directory):
        self.dir, self.names, self.fronts, self.context, self.authorities = directory, {}, [], None, ""

    def address(self, host):
        """Of that name; an address is its own."""
        try:
            ipaddress.ip_address(host)
            return host
        except ValueError:
            return self.names.setdefault(host, f"127.0.1.{len(self.names) + 1}")

    def front(self, host, port, to, tls=False):
        """From open() on, who connects to host and port speaks with that port of 127.0.0.1; over TLS, with a certificate that all trust."""
        if (host, int(port), to, tls) not in self.fronts:
            self.fronts.append((host, int(port), to, tls))

    def trust(self, authority):
        """From open() on, all trust that authority, too."""
        self.authorities += authority

    def folder(self, path):
        """A directory of that name, which nobody else sees."""
        top = "/" + path.strip("/").split("/")[0]
        if not os.path.isdir(path):
            subprocess.run(["mount", "-t", "tmpfs", "none", top], check=True)
            os.makedirs(path)
        return path

    def bind(self, name, text):
        """Another text in place of a file."""
        path = os.path.join(self.dir, os.path.basename(name))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run(["mount", "--bind", path, name], check=True)

    def open(self):
        interface(0x8914, "lo", struct.pack("H22x", 0x41))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
        addresses = [self.address(host) for host, _, _, _ in self.fronts]
        for i, address in enumerate(sorted({a for a in addresses if not a.startswith("127.")})):
            interface(0x8916, f"lo:{i}", struct.pack("HH4s16x", socket.AF_INET, 0, socket.inet_aton(address)))  # SIOCSIFADDR
        self.bind("/etc/hosts", "127.0.0.1 localhost\n" + "".join(f"{a} {n}\n" for n, a in self.names.items()))
        self.certify(sorted({host for host, _, _, tls in self.fronts if tls}))
        for (host, port, to, tls) in self.fronts:
            listener = socket.create_server((self.address(host), port))
            threading.Thread(target=self.accept, args=(listener, to, tls), daemon=True).start()

    def certify(self, hosts):
        made = Broker(os.path.join(self.dir, "authority"))
        made.certificates(",".join("DNS:" + h for h in ["localhost", *hosts]))
        with open(AUTHORITIES, encoding="utf-8") as f:
            self.bind(AUTHORITIES, f.read() + made.text("ca.crt") + self.authorities)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(made.dir, "server.crt"), os.path.join(made.dir, "server.key"))

    def accept(self, listener, to, tls):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=self.serve, args=(client, to, tls), daemon=True).start()

    def serve(self, client, to, tls):
        try:
            client = self.context.wrap_socket(client, server_side=True) if tls else client
            server = socket.create_connection(("127.0.0.1", to))
        except OSError:  # who connected does not trust us, or nobody is there yet
            client.close()
            return
        threading.Thread(target=copy, args=(server, client), daemon=True).start()
        copy(client, server)
