#!/usr/bin/env python3
"""Whether a core dump of a node holds a private key. Prints TAP.

    core_dump.py KITH

What a kernel would dump is read from /proc by core(5)'s rules: coredump_filter, and no memory that
is marked "do not dump". Real core dumps, of the kernel and of gcore, are looked through where this
machine makes them. The same search through all of a node's memory finds the keys: it can fail.
"""

import base64
import glob
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile

SEED, RHO, K, TR = 32, 32, 32, 64  # bytes: FIPS 204, table 1 and algorithm 24
Q, ETA, D, N = 8380417, 4, 13, 256  # ML-DSA-65
L_, K_ = 5, 6
EXPANDED = 4032


def polynomials(packed, count, bits, top):
    """Those of FIPS 204 algorithm 24, as the library keeps them: residues in 32 bits each."""
    size = N * bits // 8
    for i in range(count):
        number = int.from_bytes(packed[i * size : (i + 1) * size], "little")
        coefficients = [(number >> (bits * j)) & ((1 << bits) - 1) for j in range(N)]
        yield b"".join(((top - c) % Q).to_bytes(4, "little") for c in coefficients)


def secrets_of(pem, whose):
    """What must not be found of a key, by name: as text, as bytes, as polynomials."""
    der = base64.b64decode(b"".join(pem.strip().split(b"\n")[1:-1]))
    # ML-DSA-PrivateKey: SEQUENCE { OCTET STRING (32), OCTET STRING (4032) }
    at = der.index(b"\x04\x20") + 2
    seed = der[at : at + SEED]
    expanded = der[-EXPANDED:]
    at = RHO + K + TR
    half = ETA.bit_length() + 1  # bits of a coefficient of s1 and s2
    small = expanded[at : at + (L_ + K_) * N * half // 8]
    t0 = expanded[at + len(small) :]
    secrets = {"seed": seed, "K": expanded[RHO : RHO + K]}
    for i in range(0, len(small) - 64, 512):
        secrets[f"s1 and s2 from byte {i}"] = small[i : i + 64]
    secrets["t0"] = t0[:64]
    for i, p in enumerate(polynomials(small, L_ + K_, half, ETA)):
        secrets[f"polynomial {i} of s1 and s2"] = p[:128]
    for i, p in enumerate(polynomials(t0, K_, D, 1 << (D - 1))):
        secrets[f"polynomial {i} of t0"] = p[:128]
    for i, line in enumerate(pem.strip().split(b"\n")[1:6]):
        secrets[f"line {i + 1} of its PEM"] = line
    return {f"{whose}: {name}": value for name, value in secrets.items()}


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Node:
    """A node on its own, in a folder of its own, with no tunnel, that has made a network."""

    def __init__(self, kith, **env):
        self.kith, self.dir = kith, tempfile.mkdtemp(prefix="kith-core.")
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": self.dir,
            "KITH_STATE": self.dir + "/state",
            "KITH_NET_LISTEN": f"127.0.0.1:{free_port()}",
            "KITH_VPN_ENABLED": "false",
            **env,
        }
        self.process = None
        self.start()
        self.run("network", "create", "home")
        self.stop()  # what is read at the start counts too, and the store can be asked
        self.secrets = self.read_secrets()
        self.start()

    def run(self, *arguments):
        return subprocess.run(
            [self.kith, *arguments], env=self.env, check=True, stdout=subprocess.PIPE, timeout=20
        ).stdout

    def start(self):
        self.process = subprocess.Popen(
            [self.kith, "up", "--foreground"],
            env=self.env,
            cwd=self.dir,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            ),
        )
        for line in self.process.stderr:
            if b"ready, this is" in line:
                return
        raise SystemExit("the node did not start")

    def stop(self):
        self.run("down")
        self.process.communicate(timeout=20)

    def read_secrets(self):
        with open(self.dir + "/state/identity.pem", "rb") as file:
            secrets = secrets_of(file.read(), "identity")
        store = sqlite3.connect(self.dir + "/state/kith.db")
        (root,) = store.execute("SELECT root_key FROM network").fetchone()
        store.close()
        return {**secrets, **secrets_of(root, "root")}

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        shutil.rmtree(self.dir)


def mappings(pid):
    """Of each mapping: its range, what of it a core dump holds (a bit of coredump_filter, None:
    nothing ever), by fs/coredump.c."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        text = file.read()
    for part in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", text)[1:]:
        lines = part.split("\n")
        bounds, access, _, _, inode = lines[0].split()[:5]
        fields = dict(line.split(":", 1) for line in lines[1:] if ":" in line)
        flags = fields["VmFlags"].split()
        start, end = (int(x, 16) for x in bounds.split("-"))
        named = inode != "0"
        if "dd" in flags or "io" in flags:
            bit = None
        elif access[3] == "s":
            bit = 3 if named else 1
        elif int(fields["Anonymous"].split()[0]) > 0 or not named:
            bit = 0
        else:
            bit = 2
        yield start, end, access, bit


def memory(pid, chosen):
    """The bytes of the mappings that `chosen` takes, one string each."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for start, end, access, bit in mappings(pid):
            if access[0] != "r" or not chosen(bit):
                continue
            try:
                file.seek(start)
                yield file.read(end - start)
            except (OSError, ValueError):
                pass  # vvar and the like are not read this way


def dumped(pid):
    """What a core dump made now would hold."""
    with open(f"/proc/{pid}/coredump_filter", encoding="utf-8") as file:
        allowed = int(file.read(), 16)
    return memory(pid, lambda bit: bit is not None and allowed >> bit & 1)


def everything(pid):
    return memory(pid, lambda bit: True)


def found(secrets, pieces):
    """Names of the secrets in these bytes."""
    names = set()
    for piece in pieces:
        names |= {name for name, value in secrets.items() if value in piece}
    return sorted(names)


CASE = 0


def case(name, faults, skip=None):
    global CASE
    CASE += 1
    if skip:
        print(f"ok {CASE} - {name} # SKIP {skip}")
        return
    print(f"{'not ok' if faults else 'ok'} {CASE} - {name}")
    for fault in faults:
        print(f"# {fault}")
    sys.stdout.flush()


def kernel_core(node):
    """Ends the node by a fault; the core dump the kernel wrote, or None."""
    os.kill(node.process.pid, signal.SIGABRT)
    node.process.communicate()
    cores = glob.glob(node.dir + "/core*")
    if not cores:
        return None
    with open(cores[0], "rb") as file:
        return file.read()


def kernel_writes_here():
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
        return re.match(r"core\b[^/|]*$", file.read().strip()) is not None


def gcore(node):
    out = node.dir + "/by-gdb"
    subprocess.run(
        ["gcore", "-o", out, str(node.process.pid)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
    with open(f"{out}.{node.process.pid}", "rb") as file:
        return file.read()


def used_secrets(node):
    """Has the node use a passphrase and write a ticket, twice each; what must be gone then."""
    secrets = {}
    for i in range(2):
        passphrase = os.urandom(16).hex()
        file = f"{node.dir}/passphrase"
        with open(file, "w", encoding="ascii") as out:
            out.write(passphrase + "\n")
        node.run("network", "backup", f"{node.dir}/backup-{i}", "--passphrase-file", file)
        secrets[f"passphrase {i + 1}"] = passphrase.encode()
        secrets[f"ticket {i + 1}"] = node.run("invite").strip()[-100:]
    return secrets


def by_default(kith):
    """A node as it comes."""
    why = None if os.geteuid() == 0 else "only root may read the memory of a node"
    node = Node(kith)
    try:
        pid = node.process.pid
        everywhere = set() if why else set(found(node.secrets, everything(pid)))
        missing = [n for n in node.secrets if n not in everywhere and "PEM" not in n]
        case("the_search_finds_the_keys_in_all_of_a_nodes_memory", [] if why else missing, why)
        case(
            "what_a_core_dump_would_hold_has_no_key",
            [] if why else found(node.secrets, dumped(pid)),
            why,
        )
        used = {} if why else used_secrets(node)
        case("what_was_typed_and_shown_is_gone_after_use", found(used, everything(pid)) if used else [], why)
        no_gdb = why or (None if shutil.which("gcore") else "gdb is not installed")
        case("gcore_finds_no_key", [] if no_gdb else found(node.secrets, [gcore(node)]), no_gdb)
        if os.geteuid() != 0:
            case("its_own_user_cannot_read_its_memory", readable(pid))
        core = kernel_core(node)
        case("a_crash_leaves_no_core_dump", [] if core is None else [f"{len(core)} bytes"])
    finally:
        node.end()


def readable(pid):
    try:
        with open(f"/proc/{pid}/mem", "rb"):
            return ["it can be opened"]
    except PermissionError:
        return []


def where_allowed(kith):
    """A node whose user wants core dumps: its identity stays out of them all the same."""
    why = None if kernel_writes_here() else "the kernel puts core dumps elsewhere here"
    node = Node(kith, KITH_NODE_CORE_DUMPS="true")
    try:
        identity = {n: v for n, v in node.secrets.items() if n.startswith("identity")}
        hidden = None if readable(node.process.pid) else "the system forbids it (ptrace_scope)"
        case(
            "its_own_user_may_look_for_a_fault_and_sees_no_identity",
            [] if hidden else found(identity, dumped(node.process.pid)),
            hidden,
        )
        core = None if why else kernel_core(node)
        faults = []
        if not why and (core is None or node.env["KITH_STATE"].encode() not in core):
            faults.append("there is none, or it is empty")
        case("a_crash_leaves_a_core_dump_where_it_may", faults, why)
        case("and_the_identity_is_not_in_it", found(identity, [core or b""]), why)
    finally:
        node.end()


def main(program):
    kith = os.path.abspath(program)
    by_default(kith)
    where_allowed(kith)
    print(f"1..{CASE}")


if __name__ == "__main__":
    main(sys.argv[1])
