# SPDX-License-Identifier: Apache-2.0
"""An SFTP server of paramiko, run by Debian's own python3: `sftp_server.py METHOD DIRECTORY HOST_KEY` takes user ann with the password "p w" by that method
(password or keyboard-interactive) and shows the directory as "/in". Prints its port."""
import os
import socket
import sys
import threading

import paramiko

METHOD, DIRECTORY, KEY = sys.argv[1:]


class Login(paramiko.ServerInterface):
    def get_allowed_auths(self, username):
        return METHOD

    @staticmethod
    def judge(username, password):
        return paramiko.AUTH_SUCCESSFUL if (username, password) == ("ann", "p w") else paramiko.AUTH_FAILED

    def check_auth_password(self, username, password):
        self.user = username
        return self.judge(username, password) if METHOD == "password" else paramiko.AUTH_FAILED

    def check_auth_interactive(self, username, submethods):
        self.user = username
        return paramiko.InteractiveQuery("", "", ("Password: ", False)) if METHOD == "keyboard-interactive" else paramiko.AUTH_FAILED

    def check_auth_interactive_response(self, responses):
        return self.judge(self.user, responses[0] if responses else "")

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED


class Files(paramiko.SFTPServerInterface):
    def list_folder(self, path):
        if path != "/in":
            return paramiko.SFTP_NO_SUCH_FILE
        return [paramiko.SFTPAttributes.from_stat(os.lstat(os.path.join(DIRECTORY, n)), n) for n in os.listdir(DIRECTORY)]


def serve(connection, key):
    t = paramiko.Transport(connection)
    t.add_server_key(key)
    t.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
    try:
        t.start_server(server=Login())
    except (paramiko.SSHException, EOFError):
        pass  # a client that only looks at the key


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
host_key = paramiko.ECDSAKey.from_private_key_file(KEY)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0], host_key), daemon=True).start()
