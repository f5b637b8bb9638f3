"""JSON lines between the bench harness and a Python peer.

The harness starts the peer with one JSON argument, waits for {"ready": true, ...}, then sends one request a
line and reads one answer a line. Anything else a library prints goes to stderr.
"""

import gc
import json
import os
import sys
import traceback

_out = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def options():
    return json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}


def send(value):
    _out.write(json.dumps(value) + "\n")
    _out.flush()


def serve(ready, handlers):
    """Answers requests {"do": NAME, ...} by handlers[NAME](request) until stdin ends."""
    send({"ready": True, **ready})
    gc.disable()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            send({"ok": True, **handlers[request["do"]](request)})
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            send({"ok": False, "error": f"{type(error).__name__}: {error}"})
        gc.collect()


# Memory ------------------------------------------------------------------------------------------------------


def _status(key):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    return None


def resident_bytes():
    return _status("VmRSS")


def peak_resident_bytes():
    return _status("VmHWM")


def reset_peak():
    """Linux: lets the peak of resident memory start again from now."""
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")
