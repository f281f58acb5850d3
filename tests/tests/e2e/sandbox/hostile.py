"""Tries to get out of the sandbox in the way that its input names, and says whether it did.

With the argument `list` it prints the names of all ways, one a line."""

import ctypes
import errno
import json
import os
import resource
import socket
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
ways = {}
targets = {}
SCRATCH = os.environ.get("TMPDIR", os.getcwd())
X86 = os.uname().machine == "x86_64"


def way(function):
    ways[function.__name__] = function
    return function


def call(number, *arguments):
    """Makes a system call; gives its errno, zero for success."""
    ctypes.set_errno(0)
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return 0 if libc.syscall(ctypes.c_long(number), *wide) >= 0 else ctypes.get_errno()


def allowed(number, *arguments):
    """Whether the kernel even looks at such a call of this process's."""
    return call(number, *arguments) not in (errno.EPERM, errno.ENOSYS, errno.EACCES)


def number(x86, other):
    return x86 if X86 else other


# Files.


def reads(path):
    with open(path, "rb") as file:
        return len(file.read(64)) > 0


@way
def read_a_file_of_the_owners():
    return reads(targets["canary"])


@way
def read_the_realms_configuration():
    return reads(targets["home"] + "/realm.toml")


@way
def read_the_realms_key():
    return reads(targets["home"] + "/keys/node")


@way
def read_the_users_of_the_machine():
    return reads("/etc/passwd")


@way
def read_passwords():
    return reads("/etc/shadow")


@way
def list_the_root():
    return bool(os.listdir("/"))


@way
def list_the_owners_folder():
    return bool(os.listdir(targets["folder"]))


@way
def watch_a_folder_of_the_owners():
    watcher = libc.inotify_init1(0)
    return watcher >= 0 and libc.inotify_add_watch(watcher, targets["folder"].encode(), 0xFFF) >= 0


@way
def list_temporary_files():
    return bool(os.listdir("/tmp"))


@way
def read_by_way_of_dots():
    return reads(os.path.join("..", os.path.basename(targets["canary"])))


@way
def read_by_a_symbolic_link():
    link = SCRATCH + "/link"
    os.symlink(targets["canary"], link)
    return reads(link)


@way
def read_by_a_hard_link():
    link = SCRATCH + "/hard"
    os.link(targets["canary"], link)
    return reads(link)


@way
def read_by_the_root_of_a_process():
    return reads("/proc/self/root" + targets["canary"])


@way
def read_by_the_root_of_the_daemon():
    return reads(f"/proc/{targets['daemon']}/root{targets['canary']}")


@way
def read_by_a_handle():
    handle = struct.pack("Ii", 8, 1) + bytes(8)
    return allowed(number(304, 265), -100, ctypes.create_string_buffer(handle), 0)


@way
def write_temporary_files():
    path = "/tmp/realm-escaped-" + targets["token"]
    with open(path, "w") as file:
        file.write("x")
    os.unlink(path)
    return True


@way
def write_beside_the_program():
    with open("left-behind", "w") as file:
        file.write("x")
    return True


@way
def change_its_own_program():
    with open(__file__, "a") as file:
        file.write("\n")
    return True


@way
def truncate_a_file_of_the_owners():
    os.truncate(targets["victim_file"], 0)
    return True


@way
def remove_a_file_of_the_owners():
    os.unlink(targets["victim_file"])
    return True


@way
def rename_a_file_of_the_owners():
    os.rename(targets["victim_file"], targets["victim_file"] + ".gone")
    return True


@way
def open_up_a_file_of_the_owners():
    os.chmod(targets["victim_file"], 0o777)
    return True


@way
def open_up_its_own_program():
    with open(__file__, "rb") as file:
        os.fchmod(file.fileno(), 0o755)
    return True


@way
def take_over_a_file_of_the_owners():
    os.chown(targets["victim_file"], -1, os.getgid())
    return True


@way
def date_back_a_file_of_the_owners():
    os.utime(targets["victim_file"], (0, 0))
    return True


@way
def date_back_its_folder():
    os.utime(".", (0, 0))
    return True


@way
def make_a_device():
    os.mknod(SCRATCH + "/disk", 0o60666, os.makedev(8, 0))
    return True


@way
def run_a_program_of_its_own_making():
    path = SCRATCH + "/program"
    with open(path, "w") as file:
        file.write("#!/bin/sh\nexit 0\n")
    os.chmod(path, 0o755)
    return os.spawnv(os.P_WAIT, path, [path]) == 0


# Network.


def connects(family, kind, address):
    with socket.socket(family, kind) as link:
        link.settimeout(5)
        link.connect(address)
        return True


@way
def connect_to_a_port():
    return connects(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", targets["port"]))


@way
def connect_to_a_port_by_ipv6():
    return connects(socket.AF_INET6, socket.SOCK_STREAM, ("::1", targets["port"]))


@way
def listen_on_a_port():
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        link.listen()
        return True


@way
def send_a_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        return link.sendto(b"x", ("127.0.0.1", targets["port"])) > 0


@way
def ask_for_a_name():
    return bool(socket.getaddrinfo("localhost", 80))


@way
def connect_to_the_daemon():
    return connects(socket.AF_UNIX, socket.SOCK_STREAM, targets["home"] + "/realmd.sock")


@way
def connect_to_a_socket_of_the_owners():
    return connects(socket.AF_UNIX, socket.SOCK_STREAM, targets["socket"])


@way
def connect_to_an_abstract_socket():
    return connects(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + targets["abstract"])


@way
def open_a_raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    return True


@way
def open_a_packet_socket():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    return True


@way
def open_a_netlink_socket():
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    return True


@way
def open_a_socket_to_the_hypervisor():
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    return True


@way
def open_a_socket_by_another_table_of_calls():
    return X86 and allowed(0x40000000 | 41, 2, 1, 0)


# Namespaces and mounts.


@way
def enter_a_user_namespace():
    return allowed(number(272, 97), 0x10000000)


@way
def enter_a_network_namespace():
    return allowed(number(272, 97), 0x40000000)


@way
def beget_in_a_user_namespace():
    ctypes.set_errno(0)
    child = libc.syscall(ctypes.c_long(number(56, 220)), ctypes.c_long(0x10000000 | 17), None, None, None, None)
    if child == 0:
        os._exit(0)
    return child > 0


@way
def beget_in_a_user_namespace_unseen():
    arguments = ctypes.create_string_buffer(struct.pack("11Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0))
    ctypes.set_errno(0)
    child = libc.syscall(ctypes.c_long(435), arguments, ctypes.c_long(88))
    if child == 0:
        os._exit(0)
    return child > 0


@way
def join_a_namespace_of_the_daemons():
    return allowed(number(308, 268), os.open(f"/proc/{targets['daemon']}/ns/net", os.O_RDONLY), 0)


@way
def join_a_namespace_by_any_file():
    return allowed(number(308, 268), 0, 0)


@way
def mount_a_folder():
    return allowed(number(165, 40), b"tmpfs", SCRATCH.encode(), b"tmpfs", 0, None)


@way
def mount_by_the_new_calls():
    return allowed(430, b"tmpfs", 0)


@way
def take_a_tree_of_mounts():
    return allowed(428, -100, b"/", 1)


@way
def unmount_its_folder():
    return allowed(number(166, 39), SCRATCH.encode(), 2)


@way
def change_the_root():
    return allowed(number(161, 51), b"/")


@way
def swap_the_root():
    return allowed(number(155, 41), b".", b".")


# Processes.


@way
def kill_the_daemon():
    os.kill(targets["daemon"], 0)
    os.kill(targets["daemon"], 9)
    return True


@way
def kill_a_process_of_the_owners():
    os.kill(targets["process"], 9)
    return True


@way
def kill_everything():
    if os.getpid() != 1 and os.getuid() == 0:
        raise RuntimeError("not outside of a namespace")
    try:
        os.kill(-1, 9)
    except ProcessLookupError:
        pass
    # Whoever else was killed shows after this.
    return False


@way
def see_other_processes():
    return any(name.isdigit() and int(name) != os.getpid() for name in os.listdir("/proc"))


@way
def read_the_daemons_environment():
    return reads(f"/proc/{targets['daemon']}/environ")


@way
def read_the_daemons_memory():
    return reads(f"/proc/{targets['daemon']}/maps")


@way
def read_memory_by_a_call():
    vector = ctypes.create_string_buffer(32)
    return allowed(number(310, 270), targets["daemon"], vector, 1, vector, 1, 0)


@way
def trace_the_daemon():
    return allowed(number(101, 117), 16, targets["daemon"], 0, 0)


@way
def trace_itself():
    return allowed(number(101, 117), 0, 0, 0, 0)


@way
def hold_the_daemon():
    return call(434, targets["daemon"], 0) == 0


@way
def take_a_file_of_another_process():
    return allowed(438, 0, 0, 0)


@way
def outlive_its_call():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for stream in range(3):
                os.close(stream)
            os.execv(sys.executable, ["left-by-" + targets["token"], "-c", "import time; time.sleep(600)"])
        os._exit(0)
    os.wait()
    # Whether it lives on shows after this.
    return False


@way
def forget_whom_it_dies_with():
    return call(number(157, 167), 1, 0, 0, 0, 0) == 0


# What it may take.


@way
def fork_without_end():
    children = 0
    try:
        while children < 2000:
            child = os.fork()
            if child == 0:
                time.sleep(600)
                os._exit(0)
            children += 1
    except OSError:
        return False
    return True


@way
def take_memory_without_end():
    held = []
    for _ in range(48):
        held.append(bytearray(64 * 1024 * 1024))
    return True


@way
def open_files_without_end():
    held = []
    try:
        for _ in range(5000):
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return False
    return True


@way
def fill_the_disk():
    written = 0
    try:
        with open(SCRATCH + "/big", "wb") as file:
            while written < 256 * 1024 * 1024:
                written += file.write(bytes(1024 * 1024))
    except OSError:
        return False
    return True


@way
def raise_its_limits():
    resource.setrlimit(resource.RLIMIT_NOFILE, (100_000, 100_000))
    return True


@way
def leave_a_core():
    return resource.getrlimit(resource.RLIMIT_CORE)[1] != 0


@way
def raise_its_priority():
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    return True


# Privileges.


@way
def become_root():
    os.setuid(0)
    return os.geteuid() == 0


@way
def have_capabilities():
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    sets = ctypes.create_string_buffer(24)
    call(number(125, 90), header, sets)
    return any(struct.unpack("6I", sets.raw))


@way
def gain_privileges_by_a_program():
    return libc.prctl(39, 0, 0, 0, 0) != 1


@way
def loosen_its_filter():
    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]

    allow = Filter(1, struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
    call(number(317, 277), 1, 0, ctypes.byref(allow))
    socket.socket()
    return True


@way
def find_an_open_file():
    own = os.stat(__file__).st_ino
    for descriptor in range(3, 1024):
        try:
            # Python reads this program by a file that it leaves open.
            if os.fstat(descriptor).st_ino != own:
                return True
        except OSError:
            pass
    return False


@way
def find_a_secret_in_the_environment():
    return any("canary" in value for value in os.environ.values())


@way
def open_its_terminal():
    os.open("/dev/tty", os.O_RDWR)
    return True


@way
def type_into_a_terminal():
    return allowed(number(16, 29), 0, 0x5412, b"x")


# The kernel.


@way
def load_a_program_into_the_kernel():
    return allowed(number(321, 280), 0, None, 0)


@way
def watch_the_kernel():
    return allowed(number(298, 241), None, 0, -1, -1, 0)


@way
def handle_its_own_faults():
    return allowed(number(323, 282), 0)


@way
def make_a_ring():
    return allowed(425, 1, ctypes.create_string_buffer(120))


@way
def keep_a_key():
    return allowed(number(248, 217), b"user", b"realm", b"x", 1, -3)


@way
def use_the_keyring():
    return allowed(number(250, 219), 0, -3, 0, 0, 0)


@way
def load_a_module():
    return allowed(number(175, 105), None, 0, b"")


@way
def load_a_module_from_a_file():
    return allowed(number(313, 273), 0, b"", 0)


@way
def load_another_kernel():
    return allowed(number(246, 104), 0, 0, None, 0xFFFF0000)


@way
def restart_the_machine():
    return allowed(number(169, 142), 0, 0, 0, None)


@way
def use_a_swap_file():
    return allowed(number(167, 224), b"/nowhere", 0)


@way
def rename_the_machine():
    return allowed(number(170, 161), b"escaped", 7)


@way
def set_the_clock():
    return allowed(number(227, 112), 99, None)


@way
def change_its_personality():
    return allowed(number(135, 92), 0xFFFFFFFF)


@way
def write_accounts():
    return allowed(number(163, 89), b"/nowhere")


@way
def read_the_kernels_log():
    return allowed(number(103, 116), 10, None, 0)


@way
def reach_ports_of_the_hardware():
    return X86 and allowed(172, 3)


@way
def watch_all_files():
    return allowed(number(300, 262), 0, 0)


@way
def move_memory_of_others():
    return allowed(number(279, 239), targets["daemon"], 0, None, None, None, 0)


def main():
    if sys.argv[1:] == ["list"]:
        print("\n".join(ways))
        return
    told = json.load(sys.stdin)
    targets.update(told["targets"])
    try:
        escaped, said = bool(ways[told["way"]]()), ""
    except (OSError, MemoryError, RuntimeError, ValueError) as error:
        escaped, said = False, repr(error)
    print(json.dumps({"escaped": escaped, "said": said}))


main()
