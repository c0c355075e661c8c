"""The array workloads: their inputs as views of the flat arrays that the bench's specification makes, and the
workloads that are not in it. A workload's program is NAME.gact beside this file; its dag is called `run`."""

# name: for each input its name, and its shape from the parameters p (None: as it is).
SHAPES = {
    "blackscholes": lambda p: [("spot", None), ("strike", None), ("years", None)],
    "chain": lambda p: [("x", None), ("y", None)],
    "dot": lambda p: [("x", None), ("y", None)],
    "softmax": lambda p: [("x", (p[0], p[1]))],
    "layernorm": lambda p: [("x", (p[0], p[1])), ("gain", None), ("bias", None)],
    "segred": lambda p: [("x", None), ("offsets", None)],
    "heat": lambda p: [("plate", (p[0], p[0]))],
    "life": lambda p: [("cells", (p[0], p[0]))],
    "blur": lambda p: [("x", (p[0], p[0]))],
    "nbody": lambda p: [("x", None), ("y", None), ("z", None), ("mass", None)],
    "mandelbrot": lambda p: [],
    "matmul": lambda p: [("a", (p[0], p[0])), ("b", (p[0], p[0]))],
    "bmm": lambda p: [("a", (p[0], p[1], p[1])), ("c", (p[0], p[1], p[1]))],
    "kmeans": lambda p: [("points", (p[0], 16))],
    "pagerank": lambda p: [("first", None), ("source", None), ("share", None)],
    "mcpi": lambda p: [],
    "mcopt": lambda p: [],
    "fft": lambda p: [("x", (p[0], 2))],
}

# name: the scalar inputs from the parameters.
SCALARS = {
    "heat": lambda p: {"steps": ("int64", p[1])},
    "life": lambda p: {"steps": ("int64", p[1])},
    "nbody": lambda p: {"steps": ("int64", p[1])},
    "mandelbrot": lambda p: {"n": ("int64", p[0]), "limit": ("int32", p[1])},
    "kmeans": lambda p: {"rounds": ("int64", p[1])},
    "pagerank": lambda p: {"rounds": ("int64", p[1])},
    "mcpi": lambda p: {"n": ("int64", p[0])},
    "mcopt": lambda p: {"n": ("int64", p[0])},
}


def shapes(name, p, count):
    return SHAPES[name](p) if name in SHAPES else [("x", None)] * count


def scalars(name, p):
    return SCALARS[name](p) if name in SCALARS else {}


MORE = ["variance", "argmax", "layernorm", "segred", "life", "blur", "bmm", "pagerank", "mcopt"]


def add_more(W, small=False):
    """Adds the workloads that the specification lacks, in its form."""
    M, k = 1 << 20, 16 if small else 1
    f = lambda seed, n, lo=-1., hi=1.: ("F32", seed, n, lo, hi)

    def add(name, p, ins, outs, rd, wr, flops=0, tol=1e-5):
        W.setdefault(name, dict(name=name, p=p, ins=ins, outs=outs, rd=rd, wr=wr, flops=flops, tol=tol,
                                note="", special=None))
    n = 64 * M // k
    add("variance", [n], [f(4, n)], [("r", 1)], 4 * n, 0, 3 * n, 1e-4)
    add("argmax", [n], [f(4, n)], [("I8", 1)], 4 * n, 0, n, 0)
    r, c = 8192 // k, 4096
    add("layernorm", [r, c], [f(7, r * c), f(8, c, .5, 1.5), f(9, c)], [("r", r * c)], 4 * r * c, 4 * r * c, 8 * r * c)
    add("segred", [n, 0], [f(4, n), "segs"], [("r", "nseg")], 4 * n + n // 16, n // 16, n, 1e-4)
    g, t = (8192, 50) if not small else (1024, 20)
    add("life", [g, t], [("BIT", 15, g * g, 0, 0)], [("U1", g * g)], g * g * t, g * g * t, 0, 0)
    g = 8192 if not small else 1024
    add("blur", [g], [f(16, g * g)], [("r", g * g)], 4 * g * g, 4 * g * g, 10 * g * g)
    q = 16384 // k
    add("bmm", [q, 32], [f(23, q * 1024), f(24, q * 1024)], [("r", q * 1024)], 8 * q * 1024, 4 * q * 1024, q * 2 * 32**3)
    N = M // k
    add("pagerank", [N, 10], ["graph"], [("r", N)], None, None, None, 1e-4)
    add("mcopt", [8 * M // k], [], [("F8", 1)], 0, 0, None, 1e-4)
    return W
