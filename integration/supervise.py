import array, os, signal, socket, subprocess, sys
runtime, bundle, name = sys.argv[1:]                       # python3 supervise.py tierce /srv/box box
listener = socket.socket(socket.AF_UNIX)
listener.bind(path := f"{bundle}/console"); listener.listen()
subprocess.run([runtime, "run", "-d", "-b", bundle, "--console-socket", path, name], check=True)
_, [(_, _, fds)], _, _ = listener.accept()[0].recvmsg(4096, socket.CMSG_SPACE(4))
terminal = array.array("i", fds)[0]                        # the master end; the log is standard output here
status = subprocess.Popen([runtime, "wait", name], stdout=subprocess.PIPE, text=True)
try: [sys.stdout.buffer.write(text) for text in iter(lambda: os.read(terminal, 4096), b"")]
except OSError: pass                                       # EIO: the program and its children have closed it
code = status.communicate()[0]; subprocess.run([runtime, "delete", name]); os.unlink(path); sys.exit(int(code))
