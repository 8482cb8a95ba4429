"""Print every figure, with its target; exit 1 if one is missed. Takes about half an hour, most of it the fleet's."""

import subprocess
import sys
from pathlib import Path

FIGURES = ("idle.py", "start.py", "latency.py", "beside_gpu.py", "delivery.py", "faults.py", "fleet.py")


def main() -> int:
    missed = 0
    for name in FIGURES:
        print(f"== {name}", flush=True)
        missed += subprocess.run([sys.executable, str(Path(__file__).parent / name)], check=False).returncode
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
