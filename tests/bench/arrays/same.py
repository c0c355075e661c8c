"""Prints a digest of each workload's outputs at the small sizes, for the images and threads that the environment
names (see serve.py). Arguments: the workloads."""
import hashlib, sys
names, sys.argv[1:] = sys.argv[1:], ["--small"]
import serve

peer = serve.Peer(small=True)
for name in names:
    peer.load(name)
    digest = hashlib.sha256()
    for output in peer.call.outputs():
        digest.update(str((output.dtype, output.shape)).encode() + output.tobytes())
    print(name, digest.hexdigest())
