"""gact as a peer of the array bench: runs the programs beside this file in this process through libgact.
stdin: 'load NAME' | 'run K' | 'check' | 'quit'; stdout: 'ok FIRST_RUN_SECONDS ...' | 'no WHY' | 't SECONDS...' | 'c ...'.
Argument: --small for the small sizes. GACT_IMAGES names the folder of the images,
LIBGACT the library, ARRAYS the bench; libgen.so is in a folder that the bench makes below TMPDIR."""
import ctypes, glob, os, sys, time, traceback
import numpy as np
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.environ["ARRAYS"], here]
import base, spec, workloads

clock = time.process_time if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter
# GactKind's numbers, by numpy's names.
KINDS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
         "bfloat16", "float32", "float64"]


class View(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("rank", ctypes.c_int32), ("dims", ctypes.c_int64 * 8),
                ("data", ctypes.c_void_p)]


class Port(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_void_p), ("dims", ctypes.c_void_p),
                ("text", ctypes.c_char_p), ("has_default", ctypes.c_int32), ("slot", ctypes.c_int32)]


class Entry(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("takes_args", ctypes.c_int32), ("name", ctypes.c_char_p),
                ("doc", ctypes.c_char_p), ("faults", ctypes.c_char_p), ("file", ctypes.c_int32),
                ("begin", ctypes.c_uint32), ("end", ctypes.c_uint32), ("ninputs", ctypes.c_int32),
                ("noutputs", ctypes.c_int32), ("nsymbols", ctypes.c_int32), ("in_slots", ctypes.c_int32),
                ("out_slots", ctypes.c_int32), ("inputs", ctypes.POINTER(Port)),
                ("outputs", ctypes.POINTER(Port))]


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 1020)]


class Options(ctypes.Structure):
    _fields_ = [("threads", ctypes.c_int32), ("pin", ctypes.c_int32), ("memory_limit", ctypes.c_int64),
                ("profile", ctypes.c_int32), ("trace_path", ctypes.c_char_p), ("device", ctypes.c_char_p),
                ("device_memory", ctypes.c_int64)]


class Gact:
    """libgact, with errors as exceptions."""
    def __init__(self):
        self.lib = ctypes.CDLL(os.environ["LIBGACT"])
        self.lib.gact_image_find.restype = ctypes.POINTER(Entry)
        self.error = Error()
        options = Options(threads=int(os.environ.get("GACT_THREADS", "0")))
        self.call("configure", ctypes.byref(options))

    def call(self, name, *args):
        if getattr(self.lib, "gact_" + name)(*args, ctypes.byref(self.error)):
            raise RuntimeError(self.error.text.decode())


class Call:
    """One dag `run` of an image with its inputs, which stay alive with it."""
    def __init__(self, gact, path, arrays, scalars):
        self.g = gact
        self.program, self.call = ctypes.c_void_p(), ctypes.c_void_p()
        gact.call("image_open", path.encode(), ctypes.byref(self.program))
        self.entry = gact.lib.gact_image_find(self.program, 0, b"run")
        gact.call("call_open", self.program, self.entry, ctypes.byref(self.call))
        self.inputs = dict(arrays)
        for name, (kind, value) in scalars.items():
            self.inputs[name] = np.array(value, kind)
        for name, a in self.inputs.items():
            view = View(KINDS.index(str(a.dtype)), a.ndim, (ctypes.c_int64 * 8)(*a.shape), a.ctypes.data)
            gact.call("call_set_view", self.call, name.encode(), ctypes.byref(view))

    def run(self):
        self.g.call("call_run", self.call)

    def output(self, k):
        view = View()
        self.g.call("call_get_view", self.call, self.entry.contents.outputs[k].name, ctypes.byref(view))
        dtype, shape = np.dtype(KINDS[view.kind]), tuple(view.dims[:view.rank])
        raw = (ctypes.c_char * (int(np.prod(shape)) * dtype.itemsize)).from_address(view.data)
        return np.frombuffer(raw, dtype).reshape(shape)

    def outputs(self):
        return [self.output(k) for k in range(self.entry.contents.noutputs)]

    def close(self):
        self.g.lib.gact_call_close(self.call)
        self.g.lib.gact_image_close(self.program)


class Peer:
    def __init__(self, small):
        build = max(glob.glob(os.path.join(os.environ["TMPDIR"], "arrays-bench-*")), key=os.path.getmtime)
        self.gact, self.gen, self.call = Gact(), base.Lib(build), None
        self.specs = workloads.add_more(spec.specs(small), small)

    def load(self, name):
        if self.call:
            self.call.close()
        self.name, self.call = name, None
        w = self.specs[name]
        arrays, p = self.gen.inputs(w)
        shaped = {n: a if s is None else a.reshape(s)
                  for (n, s), a in zip(workloads.shapes(name, p, len(arrays)), arrays)}
        image = os.path.join(os.environ["GACT_IMAGES"], name + ".gactx")
        self.call = Call(self.gact, image, shaped, workloads.scalars(name, p))
        return f"ok {self.timed():.6f} 0 {w['rd']} {w['wr']} {w['flops'] or 0}"

    def timed(self):
        start = clock()
        self.call.run()
        return clock() - start

    def check(self):
        found = self.call.outputs()
        sums = [v for a in found for v in self.gen.checksum(np.atleast_1d(a))]
        if self.name == "mandelbrot":
            sums.append(float(found[0].sum(dtype=np.float64)))
        return "c " + " ".join(map(repr, sums))

    def answer(self, words):
        if words[0] == "load":
            return self.load(words[1])
        if words[0] == "run":
            return "t " + " ".join(f"{self.timed():.9f}" for _ in range(int((words + ["1"])[1])))
        return self.check()


def main():
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = Peer("--small" in sys.argv)
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            break
        try:
            print(peer.answer(words), file=out)
        except Exception as error:
            traceback.print_exc()
            print("no " + repr(error)[:200].replace("\n", " "), file=out)


if __name__ == "__main__":
    main()
