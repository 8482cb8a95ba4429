"""The script everybody writes first: the peer of the comparison."""

import sys
import time

import requests

while True:
    answer = requests.get(sys.argv[1], headers={"Authorization": "Bearer benchmark"}, timeout=10)
    if answer.json()["balance"] < 10:
        print("Token balance low", flush=True)
    time.sleep(300)
